internal import JSON
internal import Residency

/// An entry as events of the Open Cybersecurity Schema Framework: class API Activity (6003) with the profile `security_control`.
///
/// A decision and an event are one event each, a completion one for each decision that it closes. A decision's `metadata.uid` is
/// `<origin>/<index>`, and `metadata.correlation_uid` of what closes it says the same. What the class has no attribute for stands
/// under the entry's own names in `unmapped`, so that nothing is lost.
struct OCSFEvent {
    static let schemaVersion = "1.5.0"

    private static let category: Int64 = 6
    private static let apiActivity: Int64 = 6003

    enum Activity: Int64 {
        case create = 1
        case read = 2
        case update = 3
        case delete = 4
        case other = 99
    }

    enum Severity: Int64 {
        case informational = 1
        case low = 2
        case medium = 3
        case high = 4
        case critical = 5
    }

    /// What a control did: `action_id` and `disposition_id`; `other` needs its own words beside 99.
    enum Control {
        case allowed, blocked, logged
        case other(String)
    }

    let origin: String
    let index: UInt64
    let entry: JSONObject

    /// The lines of one entry, without line ends.
    static func lines(_ origin: String, _ index: UInt64, _ entry: JSONObject) -> [[UInt8]] {
        let event = OCSFEvent(origin: origin, index: index, entry: entry)
        switch entry["kind"]?.string {
        case "decision": return [event.decision().utf8Text]
        case "completion":
            return (entry["completed"]?.array ?? []).enumerated().compactMap { position, item in
                item.object.map { event.completion($0, position).utf8Text }
            }
        default: return [event.event().utf8Text]
        }
    }

    // MARK: - Kinds

    private func decision() -> JSONValue {
        let isAllowed = text("decision") == "allow"
        let reason = text("reason") ?? ""
        let operation = text("operation") ?? Operation.other.rawValue
        return activity(
            Self.activity(operation), operation, isAllowed ? .allowed : .blocked,
            severity: isAllowed ? .informational : reason == Reason.tagInvalid.rawValue ? .high : .low,
            status: (isAllowed, reason),
            message: "\(text("decision") ?? ""): \(reason): \(operation)"
                + (text("principal").map { " by \($0)" } ?? ""),
            [
                ("actor", .object(["user": user, "app_name": nil])),
                ("api", api(operation, request: text("request"))),
                (
                    "src_endpoint",
                    .object(["ip": .text(text("address") ?? ""), "zone": text("location").map { .text($0) }])
                ),
                ("dst_endpoint", .object(["name": gateway])),
                ("resources", resources),
                ("authorizations", authorizations),
                (
                    "policy",
                    .object(["name": .text("settings"), "uid": .text(text("policy") ?? ""), "is_applied": .bool(true)])
                ),
            ],
            correlation: index, unmapped: Self.mapped)
    }

    private func completion(_ item: JSONObject, _ position: Int) -> JSONValue {
        let outcome = item["outcome"]?.string ?? ""
        let decision = UInt64(clamping: item["index"]?.integer ?? 0)
        return activity(
            .other, "Completion", outcome == "whole" ? .allowed : .other(outcome), severity: .informational,
            status: (outcome == "whole", outcome), message: "\(outcome): what entry \(decision) allowed",
            [
                ("actor", daemon),
                (
                    "api",
                    .object([
                        "operation": .text("Completion"), "service": .object(["name": gateway]),
                        "response": .object(["code": item["status"]]),
                    ])
                ),
                ("src_endpoint", .object(["name": gateway])),
            ],
            correlation: decision, position: position, extra: item.members)
    }

    private func event() -> JSONValue {
        let name = text("event") ?? ""
        let isFailure = ["reload-failed", "log-full", "seal-failure", "witness-quorum-lost", "operator-refused"]
            .contains(name)
        return activity(
            .other, name, .logged, severity: Self.severity(ofEvent: name), status: (!isFailure, name),
            message: "\(name) of \(text("gateway") ?? "")",
            [
                ("actor", text("principal") == nil ? daemon : .object(["user": user])),
                ("api", api(name, request: text("request"))),
                ("src_endpoint", .object(["name": gateway])),
                ("resources", resources),
                ("count", entry["count"]?.integer.map { .integer($0) }),
            ],
            correlation: nil, unmapped: ["kind", "v", "time", "gateway", "principal"])
    }

    // MARK: - What all have

    private func activity(
        _ activity: Activity, _ name: String, _ control: Control, severity: Severity,
        status: (isGood: Bool, code: String),
        message: String, _ own: [(String, JSONValue?)], correlation: UInt64?, position: Int? = nil,
        unmapped taken: Set<String> = [], extra: [(name: JSONString, value: JSONValue)]? = nil
    ) -> JSONValue {
        let rest = extra ?? entry.members.filter { !taken.contains($0.name.text) && !$0.value.isNull }
        let id = "\(origin)/\(index)" + (position.map { "/\($0)" } ?? "")
        let metadata: JSONValue = .object([
            "version": .text(Self.schemaVersion), "profiles": .array([.text("security_control")]),
            "product": .object(["name": .text("Bailiwick"), "vendor_name": .text("Bailiwick")]),
            "log_name": .text(origin), "log_provider": gateway,
            "log_version": entry["v"]?.integer.map { .text("\($0)") },
            "uid": .text(id), "sequence": .integer(Int64(clamping: index)),
            "correlation_uid": correlation.map { .text("\(origin)/\($0)") }, "event_code": .text(status.code),
            "original_time": entry["time"],
        ])
        let head: [(String, JSONValue?)] = [
            ("category_uid", .integer(Self.category)), ("category_name", .text("Application Activity")),
            ("class_uid", .integer(Self.apiActivity)), ("class_name", .text("API Activity")),
            ("activity_id", .integer(activity.rawValue)), ("activity_name", activity == .other ? .text(name) : nil),
            ("type_uid", .integer(Self.apiActivity * 100 + activity.rawValue)),
            ("severity_id", .integer(severity.rawValue)),
            ("time", .integer(milliseconds)), ("status_id", .integer(status.isGood ? 1 : 2)),
            ("status_code", .text(status.code)), ("message", .text(message)), ("metadata", metadata),
        ]
        let members = head + Self.members(of: control) + own + [("unmapped", .object(JSONObject(members: rest)))]
        return .object(
            JSONObject(members: members.compactMap { name, value in value.map { (JSONString(name), $0) } }))
    }

    private static func members(of control: Control) -> [(String, JSONValue?)] {
        switch control {
        case .allowed: [("action_id", .integer(1)), ("disposition_id", .integer(1))]
        case .blocked: [("action_id", .integer(2)), ("disposition_id", .integer(2))]
        case .logged: [("action_id", .integer(3)), ("disposition_id", .integer(17))]
        case .other(let what):
            [
                ("action_id", .integer(99)), ("action", .text(what)), ("disposition_id", .integer(99)),
                ("disposition", .text(what)),
            ]
        }
    }

    private func text(_ name: String) -> String? { entry[name]?.string }

    private var gateway: JSONValue? { entry["gateway"] }

    private var milliseconds: Int64 {
        (text("time").flatMap { Timestamp(rfc3339: $0) }?.microseconds ?? 0) / 1000
    }

    private var daemon: JSONValue { .object(["app_name": .text("bailiwickd"), "app_uid": gateway]) }
}

// MARK: - Parts of a decision

extension OCSFEvent {
    /// Members of a decision that an attribute of the class already holds whole.
    private static let mapped: Set<String> = [
        "kind", "v", "time", "gateway", "request", "principal", "address", "certificate", "store", "authorizations",
        "policy",
    ]

    private var user: JSONValue? {
        guard let name = entry["principal"], !name.isNull else {
            return .object(["name": .text("unknown"), "type_id": .integer(0), "credential_uid": certificate])
        }
        // 99: a tool, not a person.
        return .object([
            "name": name, "uid": name, "type_id": .integer(99), "type": .text("Tool"), "credential_uid": certificate,
            "domain": text("office").map { .text($0) },
        ])
    }

    private var certificate: JSONValue? { text("certificate").map { .text($0) } }

    private func api(_ operation: String, request: String?) -> JSONValue {
        .object([
            "operation": .text(operation), "service": .object(["name": gateway]),
            "request": request.map { .object(["uid": .text($0)]) },
        ])
    }

    /// The bucket, and in it what was asked for, by its pseudonym.
    private var resources: JSONValue? {
        guard let store = text("store") else { return nil }
        var resources: [JSONValue] = [.object(["type": .text("bucket"), "name": .text(store), "uid": .text(store)])]
        let names = [("object", text("object")), ("prefix", text("prefix"))]
        for case (let type, let name?) in names {
            resources.append(
                .object([
                    "type": .text(type), "uid": .text(name), "namespace": .text(store),
                    "owner": text("mailbox").map { .object(["uid": .text($0)]) },
                ]))
        }
        return .array(resources)
    }

    /// Each token that was looked at: its outcome, and in `policy` the instrument; the whole of what the entry says in `data`.
    private var authorizations: JSONValue? {
        guard let list = entry["authorizations"]?.array, !list.isEmpty else { return nil }
        return .array(
            list.compactMap { value in
                guard let token = value.object else { return nil }
                return .object([
                    "decision": token["outcome"],
                    "policy": .object([
                        "uid": token["sha256"], "name": token["instrument"]?.string.map { .text($0) },
                        "is_applied": .bool(token["outcome"]?.string == "granted"), "data": value,
                    ]),
                ])
            })
    }

    private static func activity(_ operation: String) -> Activity {
        switch Operation(rawValue: operation) {
        case .createBucket, .putObject, .copyObject, .createMultipartUpload, .uploadPart, .uploadPartCopy,
            .completeMultipartUpload:
            .create
        case .listBuckets, .headBucket, .getBucketLocation, .listObjects, .listObjectsV2, .getObject, .headObject,
            .getObjectAttributes, .getObjectTagging, .listParts, .listMultipartUploads, .readLog, .readMetrics,
            .scanTags:
            .read
        case .putObjectTagging, .deleteObjectTagging, .resealTag: .update
        case .deleteObject, .deleteObjects, .abortMultipartUpload: .delete
        case .other, nil: .other
        }
    }

    private static func severity(ofEvent name: String) -> Severity {
        switch name {
        case "log-full": .critical
        case "seal-failure", "witness-quorum-lost": .high
        case "torn-group", "clock-step", "reload-failed", "open-decisions", "operator-refused": .medium
        case "aggregated-refusals": .low
        default: .informational
        }
    }
}
