package import OpenSSL

/// What a key's signatures on notes say (C2SP signed-note, "Signature types").
package enum NoteSignatureType: UInt8, Sendable {
    /// Ed25519 over the note's text: a log's own.
    case ed25519 = 0x01
    /// A witness's timestamped signature on a checkpoint (C2SP tlog-cosignature, cosignature/v1).
    case cosignature = 0x04
}

/// A key that signs notes, in C2SP's form: `PRIVATE+KEY+<name>+<hash>+<key>` (C2SP signed-note; golang.org/x/mod/sumdb/note).
package struct NoteSigner: Sendable {
    package let name: String
    let type: NoteSignatureType
    let key: Ed25519PrivateKey

    /// - Throws: `NoteError.malformedKey` when the line is no signing key of that type or its hash is not that of its name and key.
    package init(_ line: String, type: NoteSignatureType = .ed25519) throws(NoteError) {
        let parts = line.trimmedNote.split(separator: "+", maxSplits: 4, omittingEmptySubsequences: false).map(
            String.init)
        guard parts.count == 5, parts[0] == "PRIVATE", parts[1] == "KEY", let bytes = Base64.standard.decode(parts[4]),
            bytes.count == 33, bytes[0] == type.rawValue
        else { throw .malformedKey }
        do {
            key = try Ed25519PrivateKey(seed: Array(bytes.dropFirst()))
        } catch {
            throw .malformedKey
        }
        self.type = type
        name = parts[2]
        guard NoteVerifier.isName(name), parts[3] == Hex.encode(verifier.keyID) else { throw .malformedKey }
    }

    /// What verifies this key's signatures.
    package var verifier: NoteVerifier { NoteVerifier(name: name, key: key.publicKey, type: type) }

    /// The signature line of a note's text, without its line end.
    package func sign(_ text: [UInt8]) throws(NoteError) -> String {
        precondition(type == .ed25519, "a witness's key signs with a time")
        return line(try signature(of: text))
    }

    func signature(of message: [UInt8]) throws(NoteError) -> [UInt8] {
        do { return try key.sign(message) } catch { throw .signingFailed }
    }

    func line(_ signature: [UInt8]) -> String {
        "\u{2014} \(name) " + Base64.standard.encode(verifier.keyID + signature)
    }
}

/// A key that verifies notes: `<name>+<hash>+<key>`.
package struct NoteVerifier: Sendable {
    package let name: String
    package let key: Ed25519PublicKey
    package let type: NoteSignatureType
    /// The first four bytes of SHA-256(name, LF, type, public key).
    package let keyID: [UInt8]

    init(name: String, key: Ed25519PublicKey, type: NoteSignatureType) {
        self.name = name
        self.key = key
        self.type = type
        keyID = Array(
            SHA256Digest(hashing: Array(name.utf8) + [0x0A, type.rawValue] + key.bytes).bytes.prefix(4))
    }

    /// - Throws: `NoteError.malformedKey` when the text is no such key of that type.
    package init(_ text: String, type: NoteSignatureType = .ed25519) throws(NoteError) {
        let parts = text.trimmedNote.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false).map(
            String.init)
        guard parts.count == 3, Self.isName(parts[0]), let bytes = Base64.standard.decode(parts[2]), bytes.count == 33,
            bytes[0] == type.rawValue
        else { throw .malformedKey }
        do {
            self.init(name: parts[0], key: try Ed25519PublicKey(Array(bytes.dropFirst())), type: type)
        } catch {
            throw .malformedKey
        }
        guard parts[1] == Hex.encode(keyID) else { throw .malformedKey }
    }

    /// The key's text form.
    package var text: String { "\(name)+\(Hex.encode(keyID))+\(Base64.standard.encode([type.rawValue] + key.bytes))" }

    /// A key's name: not empty, no white space, no plus sign.
    static func isName(_ name: String) -> Bool {
        !name.isEmpty && !name.unicodeScalars.contains { $0 == "+" || $0.properties.isWhitespace }
    }
}

/// Why a note or a key is not taken.
package enum NoteError: Error, Hashable, Sendable {
    case malformedKey
    case malformedNote
    case malformedCheckpoint
    case signingFailed
    /// No signature by that name and key.
    case unsigned(by: String)
    case badSignature(by: String)

    /// For a person, after the name of the file.
    package var words: String {
        switch self {
        case .malformedKey: "the key is malformed"
        case .malformedNote: "is no signed note"
        case .malformedCheckpoint: "is no checkpoint"
        case .signingFailed: "signing failed"
        case .unsigned(let name): "is not signed by \(name)"
        case .badSignature(let name): "the signature of \(name) does not verify"
        }
    }
}

/// A text and its signature lines (C2SP signed-note).
package struct SignedNote: Sendable {
    /// Ends with a line end.
    package let text: [UInt8]
    package let signatures: [(name: String, keyID: [UInt8], signature: [UInt8])]

    package init(_ bytes: [UInt8]) throws(NoteError) {
        guard let whole = String(validating: bytes, as: UTF8.self), bytes.last == 0x0A, bytes.count <= 1 << 20 else {
            throw .malformedNote
        }
        // The last empty line parts text and signatures.
        guard let split = bytes.indices.dropLast().last(where: { bytes[$0] == 0x0A && bytes[$0 + 1] == 0x0A }) else {
            throw .malformedNote
        }
        guard !whole.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" }) else { throw .malformedNote }
        text = Array(bytes[...split])
        var signatures: [(name: String, keyID: [UInt8], signature: [UInt8])] = []
        for line in bytes[(split + 2)...].split(separator: 0x0A, omittingEmptySubsequences: true) {
            let parts = String(decoding: line, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
                .map(String.init)
            guard parts.count == 3, parts[0] == "\u{2014}", NoteVerifier.isName(parts[1]),
                let data = Base64.standard.decode(parts[2]), data.count > 4, signatures.count < 100
            else { throw .malformedNote }
            signatures.append((parts[1], Array(data.prefix(4)), Array(data.dropFirst(4))))
        }
        guard !signatures.isEmpty else { throw .malformedNote }
        self.signatures = signatures
    }

    /// Holds when one signature is this verifier's, and that one verifies.
    package func verify(by verifier: NoteVerifier) throws(NoteError) {
        let signature = try signature(of: verifier)
        let isGood =
            switch verifier.type {
            case .ed25519: verifier.key.verify(signature, of: text)
            case .cosignature: Cosignature(signature)?.verify(text, by: verifier.key) ?? false
            }
        guard isGood else { throw .badSignature(by: verifier.name) }
    }

    func signature(of verifier: NoteVerifier) throws(NoteError) -> [UInt8] {
        guard let signature = signatures.first(where: { $0.name == verifier.name && $0.keyID == verifier.keyID }) else {
            throw .unsigned(by: verifier.name)
        }
        return signature.signature
    }
}

/// A tree head (C2SP tlog-checkpoint): origin, size and root.
package struct Checkpoint: Hashable, Sendable {
    package let origin: String
    package let size: UInt64
    package let root: SHA256Digest

    package init(origin: String, size: UInt64, root: SHA256Digest) {
        self.origin = origin
        self.size = size
        self.root = root
    }

    /// The note's text.
    package var text: [UInt8] { Array("\(origin)\n\(size)\n\(Base64.standard.encode(root.bytes))\n".utf8) }

    package init(text: [UInt8]) throws(NoteError) {
        let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard lines.count >= 4, !lines[0].isEmpty, let size = UInt64(lines[1]), "\(size)" == lines[1],
            size <= UInt64(Int64.max),
            let root = Base64.standard.decode(lines[2]).flatMap({ SHA256Digest(bytes: $0) })
        else { throw .malformedCheckpoint }
        self.init(origin: lines[0], size: size, root: root)
    }

    /// The signed note: the text, an empty line, one signature line for each signer.
    package func signed(by signers: [NoteSigner]) throws(NoteError) -> [UInt8] {
        var note = text
        note.append(0x0A)
        for signer in signers { note.append(contentsOf: "\(try signer.sign(text))\n".utf8) }
        return note
    }
}

extension String {
    fileprivate var trimmedNote: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return String(text)
    }
}
