internal import DecisionLog
internal import Residency
internal import Settings
internal import Stores
internal import Synchronization

// What is measured of the gateway as a whole.
extension MetricsText {
    mutating func add(_ gateway: Gateway, nowSeconds: Int64) {
        addLog(gateway)
        addWitnesses(gateway)
        addReloads(gateway.state.withLock { $0.reloads })
        addExpiries(gateway.currentService.expiries)
        addCondition(gateway.condition.last)
        addChecks(Readiness(gateway, nowSeconds: nowSeconds))
        addProcess(gateway.condition.last.process, startSeconds: gateway.shared.startedSeconds)
        describe("bailiwick_build_info", "gauge", "Version and settings snapshot.")
        sample(
            "bailiwick_build_info",
            [("version", gateway.currentVersion), ("policy", gateway.currentService.policy)], 1)
    }

    private mutating func addLog(_ gateway: Gateway) {
        let log = gateway.log.status
        gauge("bailiwick_log_open", "1 while decisions can be recorded.", log.closedBecause == nil ? 1 : 0)
        gauge(
            "bailiwick_log_suspended", "1 while decisions are refused for want of witnesses.",
            log.suspendedBecause == nil ? 0 : 1)
        gauge(
            "bailiwick_log_ahead_seconds",
            "How far the log's time, by which authorizations are judged, is ahead of the clock.",
            Self.seconds(log.aheadMicroseconds))
        counter("bailiwick_log_entries_total", "Entries on disk.", log.durableSize)
        gauge("bailiwick_log_waiting_entries", "Entries that are not on disk yet.", log.size - log.durableSize)
        describe("bailiwick_log_commit_seconds", "histogram", "Durable writes of groups to the write-ahead log.")
        histogram("bailiwick_log_commit_seconds", [], log.commits)
        gauge("bailiwick_log_checkpoint_size", "Entries that the published checkpoint covers.", log.checkpointSize)
        gauge("bailiwick_log_minimum_index", "Entries before it were pruned.", log.minimumIndex)
        gauge(
            "bailiwick_log_checkpoint_age_seconds",
            "Age of the published checkpoint; while the log does not grow it stays the newest.",
            Self.seconds(log.checkpointAgeMilliseconds * 1000))
        gauge(
            "bailiwick_log_uncovered_entries", "Entries on disk that no published checkpoint covers.",
            log.durableSize - min(log.durableSize, log.checkpointSize))
        gauge("bailiwick_log_reserve_bytes", "Room kept for the log's last words.", log.reserveHeldBytes)
        gauge(
            "bailiwick_log_direct_io", "1 where the write-ahead log bypasses the page cache.", log.usesDirectIO ? 1 : 0)
        if let missed = log.missedByFollower {
            counter("bailiwick_journal_missed_total", "Entries that the journal could not take.", missed)
        }
    }

    private mutating func addWitnesses(_ gateway: Gateway) {
        let (all, quorum) = gateway.witnessReports
        gauge("bailiwick_witness_quorum", "Witnesses that must cosign; 0 for none.", UInt64(quorum))
        gauge(
            "bailiwick_witnesses_cosigning", "Witnesses that cosigned a checkpoint in the last 15 s.",
            UInt64(all.count(where: \.isFresh)))
        guard !all.isEmpty else { return }
        describe("bailiwick_witness_fresh", "gauge", "1 where the witness cosigned in the last 15 s.")
        for one in all { sample("bailiwick_witness_fresh", [("witness", one.name)], one.isFresh ? 1 : 0) }
        describe("bailiwick_witness_cosigned_size", "gauge", "Entries that the witness has cosigned.")
        for one in all {
            sample("bailiwick_witness_cosigned_size", [("witness", one.name)], Int64(clamping: one.cosignedSize))
        }
        describe("bailiwick_witness_failures_total", "counter", "Questions that brought no cosignature.")
        for one in all {
            sample("bailiwick_witness_failures_total", [("witness", one.name)], Int64(clamping: one.failures))
        }
    }

    private mutating func addReloads(_ reloads: ReloadRecord) {
        describe("bailiwick_reloads_total", "counter", "Reloads of the settings, by what came of them.")
        sample("bailiwick_reloads_total", [("outcome", "good")], reloads.good)
        sample("bailiwick_reloads_total", [("outcome", "failed")], reloads.failed)
        gauge(
            "bailiwick_last_reload_successful", "0 where the last reload was not taken: older settings are in force.",
            reloads.problem == nil ? 1 : 0)
        gauge(
            "bailiwick_last_good_reload_timestamp_seconds", "When the settings in force were read.",
            reloads.lastGoodSeconds)
        gauge(
            "bailiwick_restart_due", "Settings of the file that only a restart brings into force.",
            reloads.restartDue.count)
    }

    /// Each by the setting that names it: no name out of a certificate is a label.
    private mutating func addExpiries(_ expiries: Expiries) {
        let certificates =
            [("tls.certificate", expiries.notAfterSeconds)]
            + expiries.authorities.enumerated().map { ("tls.client_authorities[\($0.offset)]", $0.element) }
        describe("bailiwick_certificate_expiry_timestamp_seconds", "gauge", "When a certificate expires.")
        for (setting, seconds) in certificates {
            sample("bailiwick_certificate_expiry_timestamp_seconds", [("setting", setting)], seconds)
        }
        if !expiries.revocationLists.isEmpty {
            describe(
                "bailiwick_crl_expiry_timestamp_seconds", "gauge",
                "When a certificate revocation list must be replaced.")
            for (index, seconds) in expiries.revocationLists.enumerated() {
                guard let seconds else { continue }
                sample(
                    "bailiwick_crl_expiry_timestamp_seconds", [("setting", "tls.revocation_lists[\(index)]")], seconds)
            }
        }
        if !expiries.issuerRevocations.isEmpty {
            describe(
                "bailiwick_issuer_revocations_expiry_timestamp_seconds", "gauge",
                "When an issuer's revocation list ends: from then on all its authorizations are refused.")
            for (issuer, seconds) in expiries.issuerRevocations {
                sample("bailiwick_issuer_revocations_expiry_timestamp_seconds", [("issuer", issuer)], seconds)
            }
        }
        if !expiries.issuerKeys.isEmpty {
            describe(
                "bailiwick_issuer_key_expiry_timestamp_seconds", "gauge",
                "When an issuer's key is to be replaced, where its JWK names an exp.")
            for (issuer, keyID, seconds) in expiries.issuerKeys {
                sample(
                    "bailiwick_issuer_key_expiry_timestamp_seconds", [("issuer", issuer), ("kid", keyID)], seconds)
            }
        }
    }

    private mutating func addCondition(_ seen: Condition.Seen) {
        var disks: [(labels: [(String, String)], space: DiskSpace)] = []
        if let log = seen.log { disks.append(([("disk", "log"), ("store", "")], log)) }
        for store in seen.stores {
            if let space = store.condition.space {
                disks.append(([("disk", "store"), ("store", store.bucket.text)], space))
            }
        }
        describe(
            "bailiwick_disk_free_bytes", "gauge", "What may still be written to the disk of the log or of a store.")
        for disk in disks { sample("bailiwick_disk_free_bytes", disk.labels, disk.space.freeBytes) }
        describe("bailiwick_disk_size_bytes", "gauge", "The size of that disk.")
        for disk in disks { sample("bailiwick_disk_size_bytes", disk.labels, disk.space.sizeBytes) }
        guard !seen.stores.isEmpty else { return }
        describe("bailiwick_store_reachable", "gauge", "1 where the store can be read.")
        for store in seen.stores {
            sample(
                "bailiwick_store_reachable", [("store", store.bucket.text)], store.condition.problem == nil ? 1 : 0)
        }
    }

    private mutating func addChecks(_ readiness: Readiness) {
        describe("bailiwick_check", "gauge", "The checks of /ready: 0 where one fails.")
        for check in readiness.checks { sample("bailiwick_check", [("check", check.name)], check.isFailed ? 0 : 1) }
    }

    private mutating func addProcess(_ facts: ProcessFacts, startSeconds: Int64) {
        gauge("process_open_fds", "Open descriptors.", facts.openDescriptors)
        gauge("process_max_fds", "How many descriptors may be open.", facts.descriptorsMax)
        gauge("process_resident_memory_bytes", "Resident memory.", facts.residentBytes)
        describe("process_cpu_seconds_total", "counter", "Processor time used.")
        sample("process_cpu_seconds_total", [], Self.seconds(facts.cpuMicroseconds))
        gauge("process_start_time_seconds", "When the process started.", startSeconds)
    }
}
