import Residency

@testable import S3

/// A request as the gateway would hand it over.
func request(
    _ method: S3Method, _ target: String, _ fields: [(String, String)] = [], length: Int64? = nil
) throws(S3Error) -> S3Request {
    let bytes = Array(target.utf8)
    return try S3Request(
        method: method, target: bytes.span, fields: requestFields(fields), declaredLength: length)
}

func requestFields(_ fields: [(String, String)]) -> RequestFields {
    let result = RequestFields()
    for (name, value) in fields {
        let (name, value) = (Array(name.utf8), Array(value.utf8))
        result.add(name: name.span, value: value.span)
    }
    return result
}

/// What parsing comes to: the request, or the code of its error.
func outcome(
    _ method: S3Method, _ target: String, _ fields: [(String, String)] = [], length: Int64? = nil
) -> Result<S3Request, S3Error> {
    do throws(S3Error) { return .success(try request(method, target, fields, length: length)) } catch {
        return .failure(error)
    }
}

func key(_ text: String) -> ObjectKey? { ObjectKey(utf8: Array(text.utf8)) }
