package import Settings

/// A listening socket that the service manager opened and keeps open, so that a restart refuses nobody (sd_listen_fds(3)).
package struct ActivatedSocket: Hashable, Sendable {
    /// What it is for: the name that the unit's FileDescriptorName= gives it. Several may share one.
    package enum Purpose: String, Hashable, Sendable, CaseIterable {
        case s3, operators
        case operatorsSocket = "operators-socket"
    }

    /// Where it listens.
    package enum Place: Hashable, Sendable, CustomStringConvertible {
        case address(ListenAddress)
        case path(String)

        package var description: String {
            switch self {
            case .address(let address): "\(address)"
            case .path(let path): path
            }
        }
    }

    package let purpose: Purpose
    package let place: Place
    /// Owned by whoever listens with it.
    package let descriptor: Int32

    package init(purpose: Purpose, place: Place, descriptor: Int32) {
        self.purpose = purpose
        self.place = place
        self.descriptor = descriptor
    }
}

/// Where the gateway will listen, and with which sockets: those that were handed over in place of those that it would open itself. The
/// settings stay what an operator reads: a socket that is handed over and that they do not name is an error, and so is one that they
/// name and that is missing among those of its purpose.
struct ListenPlan {
    enum Source: Hashable { case bind, activated(descriptor: Int32) }

    struct Item: Hashable {
        let purpose: ActivatedSocket.Purpose
        let place: ActivatedSocket.Place
        let source: Source
        /// The setting that names it.
        let key: String
    }

    private(set) var items: [Item] = []

    init(_ settings: GatewaySettings, activated: [ActivatedSocket]) throws(GatewayError) {
        for purpose in ActivatedSocket.Purpose.allCases {
            let wanted = Self.wanted(purpose, settings)
            let given = activated.filter { $0.purpose == purpose }
            if given.isEmpty {
                items += wanted.map { Item(purpose: purpose, place: $0.place, source: .bind, key: $0.key) }
            } else {
                items += try Self.match(purpose, wanted, given)
            }
        }
    }

    private static func wanted(
        _ purpose: ActivatedSocket.Purpose, _ settings: GatewaySettings
    ) -> [(place: ActivatedSocket.Place, key: String)] {
        switch purpose {
        case .s3: settings.listen.enumerated().map { (.address($0.element), "gateway.listen[\($0.offset)]") }
        case .operators: settings.operatorsListen.map { [(.address($0), "gateway.operators_listen")] } ?? []
        case .operatorsSocket: settings.operatorsSocket.map { [(.path($0), "gateway.operators_socket")] } ?? []
        }
    }

    private static func match(
        _ purpose: ActivatedSocket.Purpose, _ wanted: [(place: ActivatedSocket.Place, key: String)],
        _ given: [ActivatedSocket]
    ) throws(GatewayError) -> [Item] {
        var items: [Item] = []
        for socket in given {
            guard let (_, key) = wanted.first(where: { covers($0.place, socket.place) }) else {
                let settings = wanted.map { "\($0.key) = \($0.place)" }.joined(separator: ", ")
                throw .listen(
                    "systemd handed over a socket \"\(purpose.rawValue)\" on \(socket.place), which the settings do not name (\(settings.isEmpty ? "nothing is set" : settings)): make ListenStream= of the socket unit and the settings say the same"
                )
            }
            items.append(
                Item(
                    purpose: purpose, place: socket.place, source: .activated(descriptor: socket.descriptor), key: key))
        }
        for (place, key) in wanted where !given.contains(where: { covers(place, $0.place) }) {
            let places = given.map { "\($0.place)" }.joined(separator: ", ")
            throw .listen(
                "\(key): \(place): systemd handed over \"\(purpose.rawValue)\" on \(places) and not this one: add ListenStream=\(place) to the socket unit, or take it out of the settings"
            )
        }
        return items
    }

    /// Is it the same place? Port 0 is any.
    private static func covers(_ wanted: ActivatedSocket.Place, _ given: ActivatedSocket.Place) -> Bool {
        switch (wanted, given) {
        case (.path(let wanted), .path(let given)): wanted == given
        case (.address(let wanted), .address(let given)):
            Address(wanted.host) == Address(given.host) && (wanted.port == 0 || wanted.port == given.port)
        case (.path, .address), (.address, .path): false
        }
    }
}
