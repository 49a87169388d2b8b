import JSON
import OpenSSL

@testable import DecisionLog

/// The input is a signed note, a key, a tile's path, entries and a segment of the write-ahead log in turn.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    note(input)
    if let text = String(validating: input, as: UTF8.self) {
        if let verifier = try? NoteVerifier(text) { precondition(text.hasPrefix(verifier.text)) }
        _ = try? NoteSigner(text)
        if let path = TilePath(text) {
            precondition(path.path.utf8.elementsEqual(text.utf8), "two spellings of a path")
        }
    }
    if let ranges = EntryFraming.split(input) {
        var written: [UInt8] = []
        for range in ranges { EntryFraming.append(Array(input[range]), to: &written) }
        precondition(written == input, "entries are written otherwise than read")
    }
    if case .whole(let group, let checksum) = WriteAheadGroup.read(input, at: 0) {
        let (bytes, again) = group.encode()
        precondition(again == checksum && input.starts(with: bytes), "a group is written otherwise than read")
    }
    return 0
}

/// A note that is accepted has one spelling, and so has a checkpoint in it.
private func note(_ input: [UInt8]) {
    _ = try? Checkpoint(text: input)
    guard let note = try? SignedNote(input) else { return }
    var written = note.text + [0x0A]
    for (name, keyID, signature) in note.signatures {
        written += Array("\u{2014} \(name) \(Base64.standard.encode(keyID + signature))\n".utf8)
    }
    precondition(written == input, "a note is written otherwise than read")
    guard let checkpoint = try? Checkpoint(text: note.text) else { return }
    precondition(note.text.starts(with: checkpoint.text), "a checkpoint is written otherwise than read")
}
