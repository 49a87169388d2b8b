import Residency

/// Authorizations of every kind, good and failing in each way, for the small world.
enum Tokens {
    static let all: [(name: String, token: PresentedAuthorization)] = scopes + bearers + times + unverified

    static let content = World.token()
    static let american = World.token {
        $0.jurisdictions = [World.america]
        $0.elements = [World.element(World.america)]
        $0.expiresSeconds -= 60
    }

    static let unverified: [(String, PresentedAuthorization)] = [("malformed", .malformed), ("untrusted", .untrusted)]

    static let scopes: [(String, PresentedAuthorization)] = [
        ("content", content),
        ("traffic", elements([World.element(data: .traffic)])),
        ("content and relocate", elements([World.element(data: [.content, .relocate])])),
        (
            "content and relocate, opened by the instrument",
            World.token {
                $0.elements = [World.element(data: [.content, .relocate])]
                $0.instrumentOpens = [.content, .relocate]
            }
        ),
        (
            "relocate in another element than content",
            World.token {
                $0.elements = [World.element(data: .content), World.element(data: [.traffic, .relocate])]
                $0.instrumentOpens = [.content, .relocate]
            }
        ),
        (
            "relocate alone",
            World.token {
                $0.elements = [World.element(data: .relocate)]
                $0.instrumentOpens = [.traffic, .content, .relocate]
            }
        ),
        ("no element", elements([])),
        ("no mailbox", elements([World.element(mailboxes: [])])),
        ("another mailbox", elements([World.element(mailboxes: [.exact(World.bob.utf8)])])),
        (
            "one of two mailboxes",
            elements([World.element(mailboxes: [.exact(World.bob.utf8), .exact(World.alice.utf8)])])
        ),
        ("prefix", prefix("al")),
        ("prefix that is the whole name", prefix("alice")),
        ("prefix that is longer", prefix("alice2")),
        ("prefix of traffic", prefix("a", data: .traffic)),
        ("empty prefix", prefix("")),
        ("prefix not allowed to the issuer", elements([World.element(mailboxes: [World.prefix("al")])])),
        ("its datacenter", elements([World.element(datacenters: ["dub1"])])),
        ("two datacenters", elements([World.element(datacenters: ["dub2", "dub1"])])),
        ("another datacenter", elements([World.element(datacenters: ["dub2"])])),
        ("no datacenter", elements([World.element(datacenters: [])])),
        ("received in range", elements([World.element(received: World.early)])),
        ("received out of range", elements([World.element(received: World.before)])),
        (
            "traffic always, content in range",
            elements([World.element(data: .traffic), World.element(received: World.early)])
        ),
        (
            "content always, traffic in range",
            elements([World.element(data: .traffic, received: World.early), World.element()])
        ),
        (
            "no element is whole",
            elements([
                World.element(mailboxes: [.exact(World.bob.utf8)]),
                World.element(data: .traffic, received: World.before),
                World.element(World.america), World.element(datacenters: ["dub2"]),
            ])
        ),
        ("American", american),
        (
            "American traffic",
            World.token {
                $0.jurisdictions = [World.america]
                $0.elements = [World.element(World.america, data: .traffic)]
            }
        ),
        (
            "Ireland and America",
            World.token {
                $0.jurisdictions = [World.ireland, World.america]
                $0.elements = [World.element(World.america), World.element(), World.element(World.germany)]
            }
        ),
        (
            "everywhere",
            World.token {
                $0.jurisdictions = [World.ireland, World.america, World.germany]
                $0.elements = [World.element(), World.element(World.america), World.element(World.germany)]
            }
        ),
        ("its issuer may not speak for Ireland", World.token { $0.jurisdictions = [World.america] }),
        ("lives too long", World.token { $0.lifetimeSecondsMax = 7199 }),
        ("lives just long enough", World.token { $0.lifetimeSecondsMax = 7200 }),
        (
            "ends before it begins",
            World.token {
                $0.notBeforeSeconds = World.nowSeconds + 50
                $0.expiresSeconds = World.nowSeconds + 40
            }
        ),
        ("court order", World.token { $0.instrumentOpens = .traffic }),
        ("subpoena", World.token { $0.instrumentOpens = [] }),
        ("warrant for content alone", World.token { $0.instrumentOpens = .content }),
    ]

    static let bearers: [(String, PresentedAuthorization)] = [
        ("for another gateway", World.token { $0.audience = ["iad1-gw1"] }),
        ("for nobody", World.token { $0.audience = [] }),
        ("for the datacenter", World.token { $0.audience = ["fra1", "dub1", "iad1"] }),
        ("another subject", World.token { $0.subject = PrincipalName("support") }),
        ("no subject", World.token { $0.subject = nil }),
        ("bound", World.token { $0.certificate = World.certificate }),
        ("bound to another", World.token { $0.certificate = Array(repeating: 8, count: 32) }),
    ]

    static let times: [(String, PresentedAuthorization)] = [
        ("begins within the skew", World.token { $0.notBeforeSeconds = World.nowSeconds + 60 }),
        ("begins past the skew", World.token { $0.notBeforeSeconds = World.nowSeconds + 61 }),
        ("issued past the skew", World.token { $0.issuedAtSeconds = World.nowSeconds + 61 }),
        ("expires now", World.token { $0.expiresSeconds = World.nowSeconds }),
        ("expires in a second", World.token { $0.expiresSeconds = World.nowSeconds + 1 }),
        ("revoked", World.token { $0.isRevoked = true }),
        (
            "expired and revoked",
            World.token {
                $0.expiresSeconds = World.nowSeconds - 1
                $0.isRevoked = true
            }
        ),
    ]

    private static func elements(_ elements: [GrantElement]) -> PresentedAuthorization {
        World.token { $0.elements = elements }
    }

    private static func prefix(_ text: String, data: DataClasses = .content) -> PresentedAuthorization {
        World.token {
            $0.allowsPrefixes = true
            $0.elements = [World.element(mailboxes: [World.prefix(text)], data: data)]
        }
    }
}
