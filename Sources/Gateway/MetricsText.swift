internal import DecisionLog
internal import Residency

/// Writes the Prometheus text format (version 0.0.4). No label holds a mailbox, an object or a secret.
struct MetricsText {
    private(set) var text = ""

    /// The two comment lines of a metric.
    mutating func describe(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: some CustomStringConvertible) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        describe(name, "counter", help)
        sample(name, [], value)
    }

    mutating func gauge(_ name: String, _ help: String, _ value: some CustomStringConvertible) {
        describe(name, "gauge", help)
        sample(name, [], value)
    }

    mutating func histogram(_ name: String, _ labels: [(String, String)] = [], _ histogram: Histogram) {
        var total: UInt64 = 0
        for (slot, bound) in Histogram.boundsMicroseconds.enumerated() {
            total += histogram.counts[slot]
            sample("\(name)_bucket", labels + [("le", Self.seconds(bound))], total)
        }
        total += histogram.counts[Histogram.boundsMicroseconds.count]
        sample("\(name)_bucket", labels + [("le", "+Inf")], total)
        sample("\(name)_sum", labels, Self.seconds(histogram.sumMicroseconds))
        sample("\(name)_count", labels, total)
    }

    /// Microseconds as decimal seconds, without trailing zeros.
    static func seconds(_ microseconds: Int64) -> String {
        let whole = microseconds / 1_000_000
        var fraction = String(microseconds % 1_000_000)
        fraction = String(repeating: "0", count: 6 - fraction.count) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        return fraction.isEmpty ? "\(whole)" : "\(whole).\(fraction)"
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }
}

extension MetricsText {
    /// What the event loops counted.
    mutating func add(_ counters: Counters, buckets: [String]) {
        describe(
            "bailiwick_decisions_total", "counter",
            "Decisions, by outcome, reason, store and whether a border was crossed.")
        counters.forEachDecision { store, reason, crossing, count in
            sample(
                "bailiwick_decisions_total",
                [
                    ("outcome", reason.allows ? "allow" : "refuse"), ("reason", reason.rawValue),
                    ("store", store.map { buckets.indices.contains($0) ? buckets[$0] : "" } ?? ""),
                    ("crossing", crossing ? "true" : "false"),
                ], count)
        }
        counter("bailiwick_tls_handshakes_total", "TLS handshakes that succeeded.", counters.totals.handshakes)
        counter(
            "bailiwick_tls_resumptions_total", "TLS handshakes that resumed a session.", counters.totals.resumptions)
        describe("bailiwick_tls_handshake_failures_total", "counter", "TLS handshakes that failed, by cause.")
        for (cause, count) in counters.handshakeFailures.sorted(by: { $0.key < $1.key }) {
            sample("bailiwick_tls_handshake_failures_total", [("cause", cause)], count)
        }
        counter(
            "bailiwick_token_cache_hits_total", "Tokens found verified in the cache.", counters.totals.tokenCacheHits)
        counter(
            "bailiwick_token_cache_misses_total", "Tokens that had to be verified.", counters.totals.tokenCacheMisses)
        gauge("bailiwick_connections", "Open connections.", counters.totals.openConnections)
        counter("bailiwick_connections_total", "Connections accepted.", counters.totals.acceptedConnections)
        counter(
            "bailiwick_strangers_total", "Requests whose certificate names no principal.", counters.totals.strangers)
        describe(
            "bailiwick_unrecorded_total", "counter",
            "Requests of known callers answered 503 without a decision on record, by reason.")
        for (reason, count) in [
            (Reason.overloaded, counters.totals.unrecordedOverloaded),
            (.logUnavailable, counters.totals.unrecordedUnavailable),
        ] { sample("bailiwick_unrecorded_total", [("reason", reason.rawValue)], count) }
        describe(
            "bailiwick_storage_failures_total", "counter",
            "Requests that a store could not serve, answered 500 (error) or 503 (full, busy).")
        for (slot, bucket) in buckets.enumerated() {
            for cause in StorageFailure.Cause.allCases {
                sample(
                    "bailiwick_storage_failures_total", [("store", bucket), ("cause", cause.rawValue)],
                    counters.storageFailures[StorageFailure(store: slot, cause: cause)] ?? 0)
            }
        }
        counter(
            "bailiwick_seal_failures_total", "Objects refused because their tag does not verify.",
            counters.totals.sealFailures
        )
        counter(
            "bailiwick_misplaced_total", "Decisions on objects that lie in another datacenter than their tag names.",
            counters.totals.misplaced)
        counter("bailiwick_released_bytes_total", "Bytes of objects that were sent.", counters.totals.bytesReleased)
        describe(
            "bailiwick_phase_seconds", "histogram",
            "Time by phase: locate, record (until durable), perform; decision is from the head until durable, request the whole."
        )
        for phase in Phase.allCases {
            histogram("bailiwick_phase_seconds", [("phase", "\(phase)")], counters.totals.histogram(of: phase))
        }
    }
}
