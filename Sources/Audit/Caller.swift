internal import DecisionLog
internal import OpenSSL
internal import Residency
internal import Settings

/// Who asked, from where, as the policy has it: what the entry says of it is compared, not believed.
struct Caller {
    let principal: PrincipalSettings
    let location: Location

    init(_ entry: DecisionEntry, _ policy: PolicySnapshot) throws(Contradiction) {
        guard entry.gateway == policy.gateway else {
            throw Contradiction(
                says: "the gateway is \(entry.gateway)", follows: "the policy is that of \(policy.gateway)")
        }
        guard let name = entry.principal else {
            throw Contradiction(
                says: "no principal", follows: "requests of strangers are counted, and none of them is decided on")
        }
        guard let principal = policy.principal(name) else {
            throw Contradiction(says: "the principal is \(name)", follows: "the policy has no such principal")
        }
        guard entry.office == principal.office.datacenter else {
            throw Contradiction(
                says: "the office is \(entry.office?.text ?? "null")",
                follows: "the policy says \(principal.office.datacenter)")
        }
        if case .sha256(let digest) = principal.certificate, entry.certificate != digest {
            throw Contradiction(
                says: "the certificate is \(entry.certificate.map { Hex.encode($0) } ?? "null")",
                follows: "the policy says that \(name) has \(Hex.encode(digest))")
        }
        guard let address = Address(entry.address), address.description == entry.address else {
            throw Contradiction(says: "the address is \(quotedText(entry.address))", follows: "that is no address")
        }
        location = policy.location(of: address)
        var place: DatacenterName?
        if case .datacenter(let found) = location { place = found.datacenter }
        guard entry.location == place else {
            throw Contradiction(
                says: "the location is \(entry.location?.text ?? "null")",
                follows: "the policy says that \(entry.address) is in \(place?.text ?? "no datacenter's network")")
        }
        self.principal = principal
    }
}

/// What a look at the object found, as the entry holds it.
enum Facts: Hashable {
    /// Nobody looked, or nothing was there.
    case nothing
    case tagged(ResidencyFacts)
    /// Something without a sound tag.
    case unsound

    init(_ entry: DecisionEntry, _ policy: PolicySnapshot) throws(Contradiction) {
        func contradiction(_ follows: String) -> Contradiction {
            Contradiction(
                says:
                    "found size \(entry.size.map(String.init) ?? "null"), datacenter \(entry.datacenter?.text ?? "null"), "
                    + "jurisdiction \(entry.jurisdiction?.code ?? "null"), received \(entry.receivedSeconds.map(String.init) ?? "null")",
                follows: follows)
        }
        switch (entry.datacenter, entry.jurisdiction, entry.receivedSeconds) {
        case (nil, nil, nil):
            guard entry.etag == nil else { throw contradiction("what has no sound tag has no entity tag") }
            self = entry.size == nil ? .nothing : .unsound
        case (let datacenter?, let jurisdiction?, let received?):
            guard entry.size != nil else { throw contradiction("what has a tag has a size") }
            // A seal verifies only under a key of the tag's datacenter.
            guard let held = policy.datacenter(datacenter), !held.sealKeys.isEmpty else {
                throw contradiction("the policy has no seal key of \(datacenter): such a tag is invalid")
            }
            self = .tagged(
                ResidencyFacts(
                    place: Place(datacenter: datacenter, jurisdiction: jurisdiction), receivedSeconds: received))
        default: throw contradiction("a tag names a datacenter, a jurisdiction and a time of receipt")
        }
        guard self == .nothing || entry.object != nil else { throw contradiction("no object was asked for") }
    }

    /// The states that the rule may have been asked with, once the store alone did not decide.
    var states: [ObjectState] {
        switch self {
        case .nothing: [.absent]
        case .tagged(let facts): [.tagged(facts)]
        case .unsound: [.untagged, .tagInvalid]
        }
    }
}
