import Residency
import Testing

/// Issue 2's exhaustive test: every combination over the small world, held against `StatedRule`.
@Suite struct RuleExhaustiveTests {
    /// One office is one case, so that the cases run beside each other.
    @Test(
        "in every geography, for every operation, policy and state, both statements of the rule agree",
        arguments: [World.dub1, World.fra1, World.iad1])
    func geography(office: Place) {
        var comparison = Comparison()
        let questions = Ask.reads + Ask.writes + Ask.others
        for gateway in [World.dub1, World.fra1, World.iad1] {
            for location in World.locations {
                for areas in [[], [World.eea], [World.eea, World.atlantic]] {
                    for store in [World.dub1, World.fra1, World.iad1] {
                        for template in questions {
                            var question = template
                            question.office = office
                            question.gateway = gateway
                            question.location = location
                            question.areas = areas
                            question.store = StorePolicy(
                                place: store, untagged: template.store.untagged,
                                foreignWrites: template.store.foreignWrites)
                            comparison.compareStates(&question)
                        }
                    }
                }
            }
        }
        #expect(comparison.mismatches == [])
        #expect(comparison.count > 120_000)
    }

    static let halves = [0, 1]

    @Test("with every pair of authorizations, both statements of the rule agree", arguments: halves)
    func authorizations(half: Int) {
        var comparison = Comparison()
        let templates = Ask.crossing
        for (index, first) in Tokens.all.enumerated() where index % 2 == half {
            for template in templates {
                var question = template
                question.authorizations = [first.token]
                comparison.compareStates(&question)
            }
            for second in Tokens.all {
                for template in Ask.crossingShort {
                    var question = template
                    question.authorizations = [first.token, second.token]
                    comparison.compare(question)
                }
            }
        }
        #expect(comparison.mismatches == [])
        #expect(comparison.count > 20_000)
    }

    @Test("every entry of every allowed listing is shown exactly where the second statement shows it")
    func entries() {
        var mismatches: [String] = []
        var count = 0
        for var question in Ask.listings {
            for tokens in Ask.tokenSets {
                question.authorizations = tokens
                guard let decision = World.decision(question), let admission = decision.admission else { continue }
                for state in World.states {
                    for mailbox in [World.alice, World.bob, nil] {
                        count += 1
                        let shown = admission.admits(mailbox: mailbox, object: state)
                        let stated = StatedRule.shows(
                            question, withholds: decision.withholdsEntityTag, mailbox: mailbox, object: state)
                        if shown != stated, mismatches.count < 5 {
                            mismatches.append("\(shown) for \(String(describing: mailbox)) \(state) in \(question)")
                        }
                        let isNative = state == World.tagged(question.store.place)
                        let isListed = question.mailbox != .mailbox(World.alice) || mailbox == World.alice
                        if isNative, isListed, !shown, !admission.mayExcludeNativeEntries, mismatches.count < 5 {
                            mismatches.append("a native entry is left out against the hint: \(question)")
                        }
                    }
                }
            }
        }
        #expect(mismatches == [])
        #expect(count > 10_000)
    }
}

/// Counts what was compared and keeps the first few differences.
private struct Comparison {
    var count = 0
    var mismatches: [String] = []

    mutating func compareStates(_ question: inout Question) {
        for state in World.states {
            question.object = state
            compare(question)
        }
    }

    mutating func compare(_ question: Question) {
        count += 1
        let decided = Answer(Rule.decide(question))
        let stated = StatedRule(q: question).answer
        guard decided != stated, mismatches.count < 3 else { return }
        let trace = Rule.explain(question).map(\.description).joined(separator: "\n  ")
        mismatches.append("decided \(decided)\nstated  \(stated)\n  \(trace)\n\(question)")
    }
}

/// The questions of the exhaustive test, before geography and authorizations.
enum Ask {
    static let tokenSets: [[PresentedAuthorization]] =
        [[], [Tokens.content, Tokens.american]] + Tokens.all.map { [$0.token] }
        + Tokens.scopes.map { [$0.1, Tokens.unverified[0].1] }

    private static let few: [[PresentedAuthorization]] = [
        [], [Tokens.named("content and relocate, opened by the instrument")],
        [Tokens.american, .untrusted, Tokens.named("received in range")],
    ]

    private static let operations: [(Operation, Access, entityTag: Bool, destination: Place?)] = [
        (.getObject, .content, false, nil), (.headObject, .traffic, false, nil), (.headObject, .traffic, true, nil),
        (.copyObject, .content, false, World.dub2), (.copyObject, .content, false, World.fra1),
        (.uploadPartCopy, .content, true, World.iad1),
    ]

    static let reads: [Question] = few.flatMap { tokens in
        StorePolicy.Untagged.allCases.flatMap { untagged in
            operations.map { operation, access, entityTag, destination in
                World.question {
                    $0.operation = operation
                    $0.access = access
                    $0.hasEntityTagCondition = entityTag
                    $0.destination = destination
                    $0.store = World.store(World.dub1, untagged: untagged)
                    $0.authorizations = tokens
                }
            }
        }
    }

    static let writes: [Question] = [
        (Operation.putObject, Access.write(conditional: false)), (.putObject, .write(conditional: true)),
        (.deleteObject, .delete),
    ].flatMap { operation, access in
        [(false, false), (true, false), (false, true)].flatMap { entityTag, isSuspended in
            StorePolicy.ForeignWrites.allCases.flatMap { foreignWrites in
                StorePolicy.Untagged.allCases.map { untagged in
                    World.question {
                        $0.operation = operation
                        $0.access = access
                        $0.hasEntityTagCondition = entityTag
                        $0.areForeignWritesSuspended = isSuspended
                        $0.store = World.store(World.dub1, untagged: untagged, foreignWrites: foreignWrites)
                        $0.authorizations = entityTag ? [Tokens.content] : [Tokens.all[1].token]
                    }
                }
            }
        }
    }

    /// Listings, configuration, and callers that are not entitled.
    static let others: [Question] = [
        World.question {
            $0.operation = .listBuckets
            $0.access = .none
            $0.mailbox = .nobody
        },
        World.question { $0.isEntitled = false },
        World.question {
            $0.isEntitled = false
            $0.access = .none
        },
        World.question {
            $0.operation = .listObjectsV2
            $0.access = .traffic
            $0.authorizations = [Tokens.content]
        },
        World.question {
            $0.operation = .listObjects
            $0.access = .traffic
            $0.mailbox = World.beginning("")
            $0.authorizations = [Tokens.content]
        },
    ]

    /// Readers that cross one border or two, for every operation that looks at authorizations.
    static let crossing: [Question] =
        [World.dub1, World.dub2, World.iad1].flatMap { store in
            [Location.datacenter(World.iad1), .nowhere].flatMap { location in
                operations.map { ($0, $1, $2, $3, MailboxScope.mailbox(World.alice)) }.map {
                    operation, access, entityTag, destination, scope in
                    World.question {
                        $0.operation = operation
                        $0.access = access
                        $0.hasEntityTagCondition = entityTag
                        $0.destination = destination
                        $0.mailbox = scope
                        $0.location = location
                        $0.store = World.store(store, untagged: .adopt)
                    }
                }
            }
        } + listings + [
            World.question {
                $0.location = .nowhere
                $0.mailbox = .nobody
            },
            World.question {
                $0.location = .nowhere
                $0.operation = .putObject
                $0.access = .write(conditional: true)
            },
            World.question {
                $0.location = .nowhere
                $0.certificate = nil
            },
        ]

    static let listings: [Question] = [World.dub1, World.iad1].flatMap { store in
        [Location.datacenter(World.dub1), .datacenter(World.iad1), .nowhere].flatMap { location in
            [
                MailboxScope.mailbox(World.alice), World.beginning("al"), World.beginning("alice"), World.beginning(""),
                .nobody,
            ]
            .flatMap { scope in
                StorePolicy.Untagged.allCases.map { untagged in
                    World.question {
                        $0.operation = .listObjectsV2
                        $0.access = .traffic
                        $0.mailbox = scope
                        $0.location = location
                        $0.store = World.store(store, untagged: untagged)
                    }
                }
            }
        }
    }

    /// For pairs of authorizations: one owner and two, objects in each state that makes a difference.
    static let crossingShort: [Question] =
        [World.tagged(World.dub1), World.tagged(World.iad1), .absent, .notLocated].flatMap { state in
            [(Operation.getObject, Access.content), (.headObject, .traffic), (.copyObject, .content)].map {
                operation, access in
                World.question {
                    $0.operation = operation
                    $0.access = access
                    $0.location = .nowhere
                    $0.destination = operation == .copyObject ? World.iad1 : nil
                    $0.object = state
                }
            }
        } + [
            World.question {
                $0.operation = .listObjectsV2
                $0.access = .traffic
                $0.mailbox = World.beginning("alice")
                $0.location = .nowhere
            }
        ]
}
