//! Request methods with Envoy's numbers.

/// `envoy.config.core.v3.RequestMethod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `METHOD_UNSPECIFIED`: a method that Envoy has no number for, such as `PROPFIND`, or none.
    Other,
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// `CONNECT`.
    Connect,
    /// `OPTIONS`.
    Options,
    /// `TRACE`.
    Trace,
    /// `PATCH`.
    Patch,
}

impl Method {
    /// Every method, in the order of Envoy's numbers.
    pub const ALL: [Method; 10] = [
        Method::Other,
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Connect,
        Method::Options,
        Method::Trace,
        Method::Patch,
    ];

    /// The method of `HTTPRequestProperties.request_method`. A number that Envoy does not use is [`Method::Other`].
    pub fn from_number(number: i32) -> Self {
        let index = usize::try_from(number).unwrap_or_default();
        Self::ALL.get(index).copied().unwrap_or(Method::Other)
    }

    /// The method as it is written in a name. `_OTHER` is OpenTelemetry's word in `http.request.method` for an unknown one.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Other => "_OTHER",
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Connect => "CONNECT",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Patch => "PATCH",
        }
    }
}

#[cfg(test)]
mod tests {
    use als_proto::messages::envoy::config::core::v3::RequestMethod;

    use super::*;

    #[test]
    fn numbers_and_words_are_envoys() {
        for method in Method::ALL.into_iter().skip(1) {
            let envoys = RequestMethod::from_str_name(method.as_str()).expect("Envoy has the method");
            assert_eq!(Method::from_number(envoys.into()), method);
        }
    }

    #[test]
    fn an_unknown_number_is_another_method() {
        for number in [0, 10, -1, i32::MIN, i32::MAX] {
            assert_eq!(Method::from_number(number), Method::Other);
        }
        assert_eq!(Method::Other.as_str(), "_OTHER");
    }
}
