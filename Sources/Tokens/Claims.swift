package import JSON
package import Residency

/// The payload of an authorization (DESIGN section 5), every member checked for its form. Strings that were read are pieces of the
/// payload, which lives as long as one of them: no more than `TokenLimits.tokenBytesMax`.
package struct Claims: Hashable, Sendable {
    package var issuer: JSONString
    package var subject: JSONString
    package var audience: [JSONString]
    package var tokenID: JSONString
    package var issuedAtSeconds: Int64
    package var notBeforeSeconds: Int64
    package var expiresSeconds: Int64
    /// `cnf.x5t#S256`: 32 bytes.
    package var certificate: [UInt8]?
    package var elements: [GrantElement]
    package var legalBasis: LegalBasis

    package init(
        issuer: String, subject: String, audience: [String], tokenID: String, issuedAtSeconds: Int64,
        notBeforeSeconds: Int64, expiresSeconds: Int64, certificate: [UInt8]? = nil, elements: [GrantElement],
        legalBasis: LegalBasis
    ) {
        self.issuer = JSONString(issuer)
        self.subject = JSONString(subject)
        self.audience = audience.map { JSONString($0) }
        self.tokenID = JSONString(tokenID)
        self.issuedAtSeconds = issuedAtSeconds
        self.notBeforeSeconds = notBeforeSeconds
        self.expiresSeconds = expiresSeconds
        self.certificate = certificate
        self.elements = elements
        self.legalBasis = legalBasis
    }
}

/// The order behind an authorization.
package struct LegalBasis: Hashable, Sendable {
    package enum Requester: String, Hashable, Sendable, CaseIterable {
        case lawEnforcement = "law-enforcement"
        case intelligence, civil
        case dataSubject = "data-subject"
        case provider
    }

    package var instrument: JSONString
    package var reference: JSONString
    package var authorityName: JSONString
    package var authorityCountry: Jurisdiction
    package var requester: Requester
    package var nondisclosureUntil: Timestamp?

    package init(
        instrument: String, reference: String, authorityName: String, authorityCountry: Jurisdiction,
        requester: Requester, nondisclosureUntil: Timestamp? = nil
    ) {
        self.instrument = JSONString(instrument)
        self.reference = JSONString(reference)
        self.authorityName = JSONString(authorityName)
        self.authorityCountry = authorityCountry
        self.requester = requester
        self.nondisclosureUntil = nondisclosureUntil
    }
}

extension Claims {
    /// Reads the payload of a token. Unknown claims are ignored; an unknown member where one could narrow the grant (`cnf`,
    /// an element, its `received`) is not.
    init(_ object: JSONObject) throws(MalformedToken) {
        let claims = ClaimReader(object: object)
        issuer = try claims.string("iss", bytesMax: TokenLimits.tokenBytesMax)
        subject = try claims.string("sub", bytesMax: TokenLimits.identifierBytesMax)
        audience = try claims.audience()
        tokenID = try claims.string("jti", bytesMax: TokenLimits.identifierBytesMax)
        issuedAtSeconds = try claims.integer("iat")
        notBeforeSeconds = try claims.integer("nbf")
        expiresSeconds = try claims.integer("exp")
        certificate = try claims.object(optional: "cnf", ClaimReader.certificate)
        guard let details = object.objects("authorization_details"),
            (1...TokenLimits.elementsMax).contains(details.count)
        else { throw Self.notObjects(object["authorization_details"]?.array) }
        var elements: [GrantElement] = []
        elements.reserveCapacity(details.count)
        for (index, detail) in details.enumerated() {
            do throws(MalformedToken) { elements.append(try GrantElement(ClaimReader(object: detail))) } catch {
                throw error.within("authorization_details[\(index)]")
            }
        }
        self.elements = elements
        legalBasis = try claims.object("legal_basis", LegalBasis.init)
    }

    private static func notObjects(_ details: [JSONValue]?) -> MalformedToken {
        if let details, (1...TokenLimits.elementsMax).contains(details.count),
            let index = details.firstIndex(where: { $0.object == nil })
        {
            return .claim(path: "authorization_details[\(index)]", expected: "an object")
        }
        return .claim(path: "authorization_details", expected: "1 to \(TokenLimits.elementsMax) objects")
    }
}

extension GrantElement {
    private static let memberNames = ["type", "jurisdiction", "datacenters", "mailboxes", "data", "received"]

    fileprivate init(_ element: ClaimReader) throws(MalformedToken) {
        guard element.object.string("type")?.equals("mailbox-read") == true else {
            throw element.expected("type", "\"mailbox-read\"")
        }
        // RFC 9396, section 5: a member that nobody understands may have been meant to narrow the grant.
        try element.allow(only: Self.memberNames)
        let jurisdiction = try element.jurisdiction("jurisdiction")
        let datacenters = try element.object.has("datacenters") ? element.strings("datacenters").map(\.text) : nil
        var mailboxes: [MailboxPattern] = []
        for name in try element.strings("mailboxes") {
            guard let pattern = MailboxPattern(text: name) else {
                throw element.expected("mailboxes", "names, or beginnings of names followed by one *")
            }
            mailboxes.append(pattern)
        }
        var data = DataClasses(rawValue: 0)
        for name in try element.strings("data") {
            guard let one = DataClasses.names.first(where: { name.equals($0.name) }) else {
                throw element.expected("data", "traffic, content or relocate")
            }
            data.formUnion(one.data)
        }
        let received = try element.object(optional: "received", ClaimReader.received)
        self.init(
            jurisdiction: jurisdiction, datacenters: datacenters, mailboxes: mailboxes, data: data, received: received)
    }
}

extension DataClasses {
    static let names: [(name: String, data: DataClasses)] = [
        ("traffic", .traffic), ("content", .content), ("relocate", .relocate),
    ]
}

extension MailboxPattern {
    /// A name, or a beginning and a `*`; nil for the empty name, a bare `*`, and a `*` anywhere else.
    package init?(text: JSONString) {
        let star = UInt8(ascii: "*")
        var name = text.utf8
        let isPrefix = name.last == star
        if isPrefix { name.removeLast() }
        guard !name.isEmpty, !name.contains(star) else { return nil }
        self = isPrefix ? .prefix(name) : .exact(name)
    }

    /// As it stands in a token.
    package var text: JSONString {
        switch self {
        case .exact(let name): JSONString(utf8: name)
        case .prefix(let beginning): JSONString(utf8: beginning + [UInt8(ascii: "*")])
        }
    }
}

extension LegalBasis {
    fileprivate init(_ basis: ClaimReader) throws(MalformedToken) {
        instrument = try basis.string("instrument", bytesMax: TokenLimits.instrumentBytesMax)
        reference = try basis.string("reference", bytesMax: TokenLimits.referenceBytesMax)
        (authorityName, authorityCountry) = try basis.object("authority", Self.authority)
        let name = try basis.string("requester", bytesMax: TokenLimits.identifierBytesMax)
        guard let known = Requester.allCases.first(where: { name.equals($0.rawValue) }) else {
            throw basis.expected("requester", "law-enforcement, intelligence, civil, data-subject or provider")
        }
        requester = known
        nondisclosureUntil = try basis.object.has("nondisclosure_until") ? basis.time("nondisclosure_until") : nil
    }

    private static func authority(
        _ authority: ClaimReader
    ) throws(MalformedToken) -> (name: JSONString, country: Jurisdiction) {
        (
            try authority.string("name", bytesMax: TokenLimits.identifierBytesMax),
            try authority.jurisdiction("country")
        )
    }
}
