internal import TOMLKit

/// One table of the file. What is not asked for by the time `finish` is called is an unknown key.
final class Section {
    let path: String
    private let table: TOMLTable
    private let problems: Problems
    private var known: Set<String> = []

    init(_ table: TOMLTable, path: String, problems: Problems) {
        self.table = table
        self.path = path
        self.problems = problems
    }

    func key(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    func problem(_ name: String, _ what: String) { problems.add(key(name), what) }

    /// Reports every key that nothing asked for.
    func finish() {
        for name in table.keys.sorted() where !known.contains(name) {
            problem(name, "unknown key; expected one of: \(known.sorted().joined(separator: ", "))")
        }
    }

    private func value(_ name: String) -> (any TOMLValueConvertible)? {
        known.insert(name)
        return table[name]
    }

    func has(_ name: String) -> Bool { value(name) != nil }

    func string(_ name: String) -> String? {
        guard let value = value(name) else { return nil }
        if let text = value.string { return text }
        problem(name, "expected a string")
        return nil
    }

    func requiredString(_ name: String) -> String? {
        if let text = string(name) { return text }
        if !has(name) { problem(name, "missing; expected a string") }
        return nil
    }

    func bool(_ name: String, default fallback: Bool) -> Bool {
        guard let value = value(name) else { return fallback }
        if let flag = value.bool { return flag }
        problem(name, "expected true or false")
        return fallback
    }

    func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let value = value(name) else { return fallback }
        if value.bool == nil, let number = value.int, range.contains(number) { return number }
        problem(name, "expected a whole number from \(range.lowerBound) to \(range.upperBound)")
        return fallback
    }

    func optionalInteger(_ name: String, in range: ClosedRange<Int>) -> Int? {
        has(name) ? integer(name, default: range.lowerBound, in: range) : nil
    }

    func strings(_ name: String, required: Bool = false) -> [String] {
        guard let value = value(name) else {
            if required { problem(name, "missing; expected an array of strings") }
            return []
        }
        guard let array = value.array else {
            problem(name, "expected an array of strings")
            return []
        }
        var texts: [String] = []
        for index in 0..<array.count {
            if let text = array[index].string {
                texts.append(text)
            } else {
                problem("\(name)[\(index)]", "expected a string")
            }
        }
        return texts
    }

    func section(_ name: String) -> Section? {
        guard let value = value(name) else { return nil }
        guard let table = value.table else {
            problem(name, "expected a table")
            return nil
        }
        return Section(table, path: key(name), problems: problems)
    }

    func requiredSection(_ name: String) -> Section {
        if let section = section(name) { return section }
        if !has(name) { problem(name, "missing; expected the table [\(name)]") }
        return Section(TOMLTable(), path: key(name), problems: Problems())
    }

    func sections(_ name: String) -> [Section] {
        guard let value = value(name) else { return [] }
        guard let array = value.array else {
            problem(name, "expected an array of tables: [[\(name)]]")
            return []
        }
        return (0..<array.count).compactMap { index in
            guard let table = array[index].table else {
                problem("\(name)[\(index)]", "expected a table")
                return nil
            }
            return Section(table, path: "\(key(name))[\(index)]", problems: problems)
        }
    }

    /// Every member, for tables whose keys are names (`instruments`).
    func members() -> [String] {
        known.formUnion(table.keys)
        return table.keys.sorted()
    }

    /// One of an enumeration's values, by their names in the file.
    func choice<Value>(_ name: String, _ values: [(String, Value)], default fallback: Value) -> Value {
        guard let text = string(name) else { return fallback }
        if let value = values.first(where: { $0.0 == text }) { return value.1 }
        problem(name, "\"\(text)\" is not one of: \(values.map { "\"\($0.0)\"" }.joined(separator: ", "))")
        return fallback
    }
}
