/// Why a connection's bytes are not requests. Each closes the connection: what follows cannot be trusted to be a request.
package enum FramingError: Error, Hashable, Sendable, CaseIterable {
    case malformedRequestLine
    case requestLineTooLong
    case unsupportedVersion
    case badTarget
    case malformedField
    case headTooLarge
    case tooManyFields
    case badHost
    case badContentLength
    case contentLengthWithTransferEncoding
    case unknownTransferCoding
    case unknownExpectation
    case badChunk
    case badTrailer

    /// The status that answers it (RFC 9110, section 15).
    package var status: Int {
        switch self {
        case .malformedRequestLine, .badTarget, .malformedField, .badHost, .badContentLength,
            .contentLengthWithTransferEncoding, .badChunk, .badTrailer:
            400
        case .requestLineTooLong: 414
        case .unknownExpectation: 417
        case .headTooLarge, .tooManyFields: 431
        case .unknownTransferCoding: 501
        case .unsupportedVersion: 505
        }
    }
}
