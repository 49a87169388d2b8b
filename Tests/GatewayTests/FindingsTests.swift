import Testing

@testable import Gateway
@testable import Stores

@Suite struct FindingsTests {
    @Test func whatIsBeyondTheBoundIsCounted() {
        let findings = Findings()
        for number in 0..<Findings.linesMax {
            findings.add(ScanFinding(name: Array("a/\(number)".utf8), problem: .untagged))
        }
        #expect(findings.text.split(separator: "\n").count == Findings.linesMax)
        #expect(findings.text.hasSuffix("a/\(Findings.linesMax - 1): \(ScanFinding.Problem.untagged)\n"))
        for _ in 0..<3 { findings.add(ScanFinding(name: Array("b".utf8), problem: .untagged)) }
        #expect(findings.text.hasSuffix("\nand 3 more, not listed: mend these and scan again\n"))
    }
}
