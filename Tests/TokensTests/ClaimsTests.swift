import JSON
import Residency
import Testing

@testable import Tokens

@Suite struct ClaimsTests {
    private func outcome(_ payload: String) -> String {
        TokenDesk.verifier().verify(TokenDesk.token(TokenDesk.header(), payload)).summary
    }

    private func outcome(_ part: String, _ other: String) -> String {
        #expect(TokenDesk.payload.contains(part), "the payload has no \(part)")
        return outcome(TokenDesk.payload.replacing(part, with: other))
    }

    /// Every claim left out, of another type, or of a form that two readers could take for two things.
    @Test(arguments: [
        (#""jti":"order-118","#, "", "claim jti"), (#""jti":"order-118""#, #""jti":"""#, "claim jti"),
        (#""jti":"order-118""#, #""jti":7"#, "claim jti"), (#""sub":"ediscovery","#, "", "claim sub"),
        (#""sub":"ediscovery""#, #""sub":null"#, "claim sub"),
        (#""sub":"ediscovery""#, #""sub":["ediscovery"]"#, "claim sub"),
        (#""iss":"https://authorizations.example.ie","#, "", "claim iss"),
        (#""aud":"dub1-gw1","#, "", "claim aud"), (#""aud":"dub1-gw1""#, #""aud":[]"#, "claim aud"),
        (#""aud":"dub1-gw1""#, #""aud":[1]"#, "claim aud"), (#""aud":"dub1-gw1""#, #""aud":"""#, "claim aud"),
        (#""aud":"dub1-gw1""#, #""aud":{"a":1}"#, "claim aud"), (#""aud":"dub1-gw1""#, #""aud":["a",""]"#, "claim aud"),
        (#""iat":1800000000,"#, "", "claim iat"), (#""nbf":1800000000,"#, "", "claim nbf"),
        (#""exp":1800086400,"#, "", "claim exp"), (#""exp":1800086400"#, #""exp":"1800086400""#, "claim exp"),
        (#""exp":1800086400"#, #""exp":1800086400.0"#, "claim exp"),
        (#""exp":1800086400"#, #""exp":1.8e9"#, "claim exp"),
        (#""exp":1800086400"#, #""exp":1E10"#, "claim exp"),
        (#""exp":1800086400"#, #""exp":9223372036854775808"#, "claim exp"),
        (#""exp":1800086400"#, #""exp":123456789012345678901234567890"#, "claim exp"),
        (#""exp":1800086400"#, #""exp":true"#, "claim exp"), (#""exp":1800086400"#, #""exp":null"#, "claim exp"),
        (#""nbf":1800000000"#, #""nbf":1800000000.5"#, "claim nbf"), (#""iat":1800000000"#, #""iat":0.1"#, "claim iat"),
        (#""exp":1800086400"#, #""exp":1800086400,"exp":1900000000"#, "the payload is not strict JSON: two members"),
        (#""iss":"#, #""\u0069ss":"https://evil.example","iss":"#, "the payload is not strict JSON: two members"),
        (#""type":"mailbox-read""#, #""type":"mailbox-write""#, "claim authorization_details[0].type"),
        (#""type":"mailbox-read","#, "", "claim authorization_details[0].type"),
        (
            #""type":"mailbox-read""#, #""type":"mailbox-read","type":"x""#,
            "the payload is not strict JSON: two members"
        ),
        (
            #""type":"mailbox-read""#, #""type":"mailbox-read","only_subject":"x""#,
            #"claim authorization_details[0]."only_subject""#
        ),
        (#""jurisdiction":"IE","#, "", "claim authorization_details[0].jurisdiction"),
        (#""jurisdiction":"IE""#, #""jurisdiction":"ie""#, "claim authorization_details[0].jurisdiction"),
        (#""jurisdiction":"IE""#, #""jurisdiction":"*""#, "claim authorization_details[0].jurisdiction"),
        (
            #""jurisdiction":"IE""#, #""jurisdiction":"IE","datacenters":[]"#,
            "claim authorization_details[0].datacenters"
        ),
        (
            #""jurisdiction":"IE""#, #""jurisdiction":"IE","datacenters":"dub1""#,
            "claim authorization_details[0].datacenters"
        ),
        (
            #""jurisdiction":"IE""#, #""jurisdiction":"IE","datacenters":null"#,
            "claim authorization_details[0].datacenters"
        ),
        (#""mailboxes":["alice"],"#, "", "claim authorization_details[0].mailboxes"),
        (#"["alice"]"#, "[]", "claim authorization_details[0].mailboxes"),
        (#"["alice"]"#, #""alice""#, "claim authorization_details[0].mailboxes"),
        (#"["alice"]"#, #"["*"]"#, "claim authorization_details[0].mailboxes"),
        (#"["alice"]"#, #"["alice",""]"#, "claim authorization_details[0].mailboxes"),
        (#"["alice"]"#, #"["a*e"]"#, "claim authorization_details[0].mailboxes"),
        (#"["alice"]"#, #"["*alice"]"#, "claim authorization_details[0].mailboxes"),
        (#"["alice"]"#, #"["alice**"]"#, "claim authorization_details[0].mailboxes"),
        (#"["alice"]"#, #"["alice",7]"#, "claim authorization_details[0].mailboxes"),
        (#"["content"]"#, "[]", "claim authorization_details[0].data"),
        (#"["content"]"#, #"["everything"]"#, "claim authorization_details[0].data"),
        (#"["content"]"#, #""content""#, "claim authorization_details[0].data"),
        (#"["content"]"#, #"["Content"]"#, "claim authorization_details[0].data"),
        (#"["content"]"#, #"["content","write"]"#, "claim authorization_details[0].data"),
        (#","data":["content"]"#, "", "claim authorization_details[0].data"),
        (#""legal_basis":{"#, #""basis":{"#, "claim legal_basis"),
        (#""instrument":"warrant","#, "", "claim legal_basis.instrument"),
        (#""instrument":"warrant""#, #""instrument":1"#, "claim legal_basis.instrument"),
        (#""reference":"2026/CCC/118","#, "", "claim legal_basis.reference"),
        (#""country":"IE""#, #""country":"Ireland""#, "claim legal_basis.authority.country"),
        (#","country":"IE""#, "", "claim legal_basis.authority.country"),
        (#""name":"Central Criminal Court","#, "", "claim legal_basis.authority.name"),
        (#""law-enforcement""#, #""police""#, "claim legal_basis.requester"),
        (#","requester":"law-enforcement""#, "", "claim legal_basis.requester"),
        (
            #""law-enforcement""#, #""law-enforcement","nondisclosure_until":"soon""#,
            "claim legal_basis.nondisclosure_until"
        ),
    ])
    func anotherFormIsMalformed(_ part: String, _ other: String, _ expected: String) {
        let summary = outcome(part, other)
        #expect(summary.hasPrefix("malformed: " + expected), "\(summary)")
    }

    @Test(arguments: [
        (#"{"from":"2026-01-01T00:00:00Z"}"#, "to"), (#"{"to":"2026-01-01T00:00:00Z"}"#, "from"), ("{}", "from"),
        (#"{"from":"2026-01-01","to":"2026-02-01"}"#, "from"), (#"{"from":1,"to":2}"#, "from"),
        (#"{"from":"2026-02-01T00:00:00Z","to":"2026-01-01T00:00:00Z"}"#, "to"),
        (#"{"from":"2026-01-01T00:00:00Z","to":"2026-01-01T00:00:00Z"}"#, "to"),
        (#"{"from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00Z","zone":"UTC"}"#, "\"zone\""),
    ])
    func aReceivedRangeIsTwoTimesInOrder(_ range: String, _ member: String) {
        #expect(
            outcome(#""data":["content"]"#, #""data":["content"],"received":\#(range)"#)
                .hasPrefix("malformed: claim authorization_details[0].received.\(member)"))
    }

    @Test(arguments: [
        (#"{"jkt":"x"}"#, #"claim cnf."jkt""#), ("{}", "claim cnf.x5t#S256"), ("null", "claim cnf"),
        ("[]", "claim cnf"),
        (#"{"x5t#S256":"AAAA"}"#, "claim cnf.x5t#S256"),
        (#"{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"}"#, "claim cnf.x5t#S256"),
        (#"{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","jwk":{}}"#, #"claim cnf."jwk""#),
    ])
    func aBindingIsToOneCertificate(_ confirmation: String, _ expected: String) {
        let summary = outcome(#""jti":"#, #""cnf":\#(confirmation),"jti":"#)
        #expect(summary.hasPrefix("malformed: " + expected), "\(summary)")
    }

    @Test func detailsAreOneToThirtyTwo() {
        let start = TokenDesk.payload.firstRange(of: "[{")!.lowerBound
        let end = TokenDesk.payload.firstRange(of: "}]")!.upperBound
        let element = String(TokenDesk.payload[start..<end].dropFirst().dropLast())
        func payload(_ details: String) -> String {
            TokenDesk.payload[..<start] + details + TokenDesk.payload[end...]
        }
        func list(_ count: Int) -> String { "[" + Array(repeating: element, count: count).joined(separator: ",") + "]" }
        #expect(outcome(payload(list(32))) == "verified")
        for bad in [list(33), "[]", element, "null", "[1]"] {
            #expect(outcome(payload(bad)).hasPrefix("malformed: claim authorization_details"))
        }
        #expect(outcome("[]").hasPrefix("malformed: claim (whole)"))
        #expect(outcome("7").hasPrefix("malformed: claim (whole)"))
        #expect(outcome(TokenDesk.payload + " {}").hasPrefix("malformed: the payload is not strict JSON: bytes after"))
        #expect(outcome("\u{FEFF}" + TokenDesk.payload).hasPrefix("malformed: the payload is not strict JSON"))
    }

    /// The bounds of docs/FORMATS.md, which another reader may hold a token against.
    @Test(arguments: [
        (#""jti":"order-118""#, "jti", 256), (#""sub":"ediscovery""#, "sub", 256), (#""aud":"dub1-gw1""#, "aud", 256),
        (#""instrument":"warrant""#, "instrument", 64), (#""reference":"2026/CCC/118""#, "reference", 512),
        (#""name":"Central Criminal Court""#, "name", 256),
    ])
    func stringsAreBounded(_ part: String, _ name: String, _ bytesMax: Int) {
        func outcome(_ count: Int) -> String {
            self.outcome(part, #""\#(name)":"\#(String(repeating: "x", count: count))""#)
        }
        #expect(outcome(bytesMax) == "verified")
        #expect(outcome(bytesMax + 1).hasPrefix("malformed: claim "))
    }

    @Test func eachAudienceIsBoundedWhereThereAreMany() {
        func outcome(_ count: Int) -> String {
            self.outcome(#""aud":"dub1-gw1""#, #""aud":["dub1-gw1","\#(String(repeating: "x", count: count))"]"#)
        }
        #expect(outcome(256) == "verified")
        #expect(outcome(257).hasPrefix("malformed: claim aud"))
    }

    @Test func unknownClaimsAreIgnored() {
        #expect(outcome(#""jti":"#, #""purpose":{"a":[1.5]},"jti":"#) == "verified")
        #expect(outcome(#""instrument":"#, #""note":"x","instrument":"#) == "verified")
    }

    @Test func everythingThatATokenCanSayIsRead() throws {
        var claims = TokenDesk.claims
        claims.audience = [JSONString("dub1"), JSONString("dub2")]
        claims.certificate = [UInt8](0..<32)
        claims.elements = [
            GrantElement(
                jurisdiction: Jurisdiction("US-CA")!, datacenters: ["sjc1", "sjc2"],
                mailboxes: [.prefix(Array("sales-".utf8)), .exact(Array("bob".utf8))], data: [.traffic, .relocate],
                received: Timestamp(seconds: 1_700_000_000)..<Timestamp(microseconds: 1_700_000_000_000_001)),
            TokenDesk.claims.elements[0],
        ]
        claims.legalBasis.nondisclosureUntil = Timestamp(seconds: 1_900_000_000)
        let token = TokenDesk.token(TokenDesk.header(), TokenDesk.text(claims.json))
        guard case .verified(let verified) = TokenDesk.verifier().verify(token) else {
            Issue.record("not verified")
            return
        }
        #expect(verified.claims == claims)
        let grant = verified.grant(isRevoked: false)
        #expect(grant.audience == ["dub1", "dub2"] && grant.certificate == [UInt8](0..<32))
        #expect(grant.elements == claims.elements && grant.subject == PrincipalName("ediscovery"))
    }

    /// What no principal can be called is nobody's token, not a malformed one.
    @Test func aSubjectThatIsNoNameIsNobodys() throws {
        let token = TokenDesk.token(
            TokenDesk.header(), TokenDesk.payload.replacing(#""sub":"ediscovery""#, with: #""sub":"e\u0301 /""#))
        guard case .verified(let verified) = TokenDesk.verifier().verify(token) else {
            Issue.record("not verified")
            return
        }
        #expect(verified.grant(isRevoked: false).subject == nil)
    }
}

@Suite struct GrantTests {
    private func grant(_ instrument: String, _ issuer: Issuer = TokenDesk.issuer()) throws -> Grant {
        var claims = TokenDesk.claims
        claims.legalBasis.instrument = JSONString(instrument)
        let token = TokenDesk.token(TokenDesk.header(), TokenDesk.text(claims.json))
        guard case .verified(let verified) = TokenDesk.verifier(issuer).verify(token) else {
            throw MalformedToken.parts(0)
        }
        return verified.grant(isRevoked: false)
    }

    @Test(
        arguments: [
            ("warrant", [.traffic, .content], 168), ("mlat", [.traffic, .content], 168),
            ("european-production-order", [.traffic, .content], 168),
            ("executive-agreement-order", [.traffic, .content], 168),
            ("consent", [.traffic, .content], 168), ("court-order", .traffic, 168), ("subpoena", [], 168),
            ("emergency", .traffic, 48), ("national-security-letter", [], 168), ("Warrant", [], 168),
        ] as [(String, DataClasses, Int64)])
    func anInstrumentOpensWhatTheIssuerLets(_ instrument: String, _ opens: DataClasses, _ hours: Int64) throws {
        let grant = try grant(instrument)
        #expect(grant.instrumentOpens == opens)
        #expect(grant.lifetimeSecondsMax == hours * 3600)
    }

    @Test func theSettingReplacesTheDefaults() throws {
        let issuer = TokenDesk.issuer(
            prefixes: true, instruments: Instruments(["order": [.content, .relocate]]), lifetimeHoursMax: 24)
        #expect(try grant("order", issuer).instrumentOpens == [.content, .relocate])
        #expect(try grant("warrant", issuer).instrumentOpens == [])
        #expect(try grant("emergency", issuer).lifetimeSecondsMax == 24 * 3600)
        #expect(try grant("order", issuer).allowsPrefixes && !grant("warrant").allowsPrefixes)
        #expect(try grant("order", issuer).jurisdictions == [Jurisdiction("IE")!])
    }
}
