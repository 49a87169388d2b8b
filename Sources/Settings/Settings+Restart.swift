extension Settings {
    /// The keys of settings that differ from those of a start and that a reload leaves as they were: where it listens, its threads, and
    /// the log, which is one from its opening to its end.
    package func keysThatNeedARestart(since start: Settings) -> [String] {
        var keys: [String] = []
        func compare<Value: Equatable>(_ key: String, _ value: (Settings) -> Value) {
            if value(self) != value(start) { keys.append(key) }
        }
        compare("gateway.listen") { $0.gateway.listen }
        compare("gateway.operators_listen") { $0.gateway.operatorsListen }
        compare("gateway.operators_socket") { $0.gateway.operatorsSocket }
        compare("gateway.event_loops") { $0.gateway.eventLoops }
        compare("log.directory") { $0.log.directory }
        compare("log.origin") { $0.log.origin }
        compare("log.signing_keys") { $0.log.signingKeys }
        compare("log.checkpoint_interval_ms") { $0.log.checkpointIntervalMilliseconds }
        compare("log.reserve_mib") { $0.log.reserveMebibytes }
        compare("log.witnesses") { $0.log.witnesses.flatMap { [$0.url, $0.key] } }
        compare("log.witness_quorum") { $0.log.witnessQuorum }
        compare("log.witness_required") { $0.log.witnessRequired }
        return keys
    }
}
