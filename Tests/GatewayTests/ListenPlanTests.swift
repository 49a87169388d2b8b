import Residency
import Testing

@testable import Gateway
@testable import Settings

/// Sockets that systemd hands over are taken in place of those of the settings, and held against them.
@Suite struct ListenPlanTests {
    func settings(
        _ listen: [String], operators: String? = nil, socket: String? = nil
    ) throws -> GatewaySettings {
        GatewaySettings(
            name: GatewayName("gw")!,
            place: Place(datacenter: DatacenterName("dub1")!, jurisdiction: Jurisdiction("IE")!),
            listen: try listen.map { try #require(ListenAddress($0)) },
            operatorsListen: try operators.map { try #require(ListenAddress($0)) }, operatorsSocket: socket,
            considersLocation: true, stopTimeoutSeconds: 30, eventLoops: 0, watchesFiles: false)
    }

    func given(_ purpose: ActivatedSocket.Purpose, _ place: String, _ descriptor: Int32) throws -> ActivatedSocket {
        ActivatedSocket(
            purpose: purpose,
            place: place.hasPrefix("/") ? .path(place) : .address(try #require(ListenAddress(place))),
            descriptor: descriptor)
    }

    func message(_ settings: GatewaySettings, _ activated: [ActivatedSocket]) -> String? {
        do throws(GatewayError) {
            _ = try ListenPlan(settings, activated: activated)
            return nil
        } catch { return error.description }
    }

    @Test func withoutSystemdEverythingIsOpenedHere() throws {
        let plan = try ListenPlan(
            try settings(["127.0.0.1:1", "[::1]:2"], operators: "127.0.0.1:3", socket: "/run/o.sock"), activated: [])
        #expect(plan.items.map(\.source) == [.bind, .bind, .bind, .bind])
        #expect(plan.items.map(\.purpose) == [.s3, .s3, .operators, .operatorsSocket])
    }

    @Test func severalSocketsShareAName() throws {
        let plan = try ListenPlan(
            try settings(["127.0.0.1:1", "[::1]:2"], operators: "127.0.0.1:3"),
            activated: [try given(.s3, "[::1]:2", 3), try given(.s3, "127.0.0.1:1", 4)])
        #expect(
            plan.items.map(\.source) == [.activated(descriptor: 3), .activated(descriptor: 4), .bind])
        #expect(plan.items.map(\.key) == ["gateway.listen[1]", "gateway.listen[0]", "gateway.operators_listen"])
    }

    @Test func aPortOfZeroIsAnyPort() throws {
        #expect(message(try settings(["127.0.0.1:0"]), [try given(.s3, "127.0.0.1:4711", 3)]) == nil)
    }

    @Test func aSocketThatTheSettingsDoNotNameIsAnError() throws {
        let text = try #require(message(try settings(["127.0.0.1:1"]), [try given(.s3, "0.0.0.0:1", 3)]))
        #expect(text.contains("0.0.0.0:1") && text.contains("gateway.listen[0] = 127.0.0.1:1"))
        #expect(text.contains("ListenStream="))
        let operators = try #require(
            message(
                try settings(["127.0.0.1:1"]), [try given(.operators, "127.0.0.1:3", 3)]))
        #expect(operators.contains("\"operators\"") && operators.contains("nothing is set"))
        #expect(
            message(
                try settings(["127.0.0.1:1"], socket: "/run/a.sock"), [try given(.operatorsSocket, "/run/b.sock", 3)])
                != nil)
    }

    @Test func anAddressThatSystemdDoesNotHandOverIsAnError() throws {
        let text = try #require(
            message(
                try settings(["127.0.0.1:1", "127.0.0.1:2"]), [try given(.s3, "127.0.0.1:1", 3)]))
        #expect(text.contains("gateway.listen[1]: 127.0.0.1:2"))
    }
}
