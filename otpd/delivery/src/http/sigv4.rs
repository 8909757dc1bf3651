//! Signature version 4 of AWS ("Create a signed AWS API request" in its documentation).

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    request::{Request, header_value},
    template::percent,
};
use crate::Hidden;

/// Header of the signature's time.
pub(super) const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
/// Header of the session token of temporary credentials.
pub(super) const AMZ_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Whose requests are signed, and for what.
pub(super) struct Signer {
    pub(super) region: String,
    pub(super) service: String,
    pub(super) access_key: String,
    pub(super) secret_key: Hidden,
    pub(super) session_token: Option<Hidden>,
}

impl Signer {
    /// Signs a request as of `now_ms` (Unix milliseconds): host, time, media type, token and body.
    pub(super) fn sign(&self, request: &mut Request, now_ms: i64) -> Result<(), String> {
        let now = Timestamp::from_millisecond(now_ms)
            .map_err(|_| "the time of the message is no time".to_owned())?;
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = now.strftime("%Y%m%d").to_string();
        request.headers.insert(AMZ_DATE, header_value(&AMZ_DATE, &time)?);
        if let Some(token) = &self.session_token {
            request.headers.insert(AMZ_TOKEN, header_value(&AMZ_TOKEN, token.expose())?);
        }
        let (signed, canonical) = canonical(request)?;
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let digest = HEXLOWER.encode(&Sha256::digest(canonical.as_bytes()));
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{digest}");
        let mut key = Zeroizing::new(format!("AWS4{}", self.secret_key.expose()).into_bytes());
        for part in [date.as_str(), &self.region, &self.service, "aws4_request"] {
            key = Zeroizing::new(hmac(&key, part)?);
        }
        let signature = HEXLOWER.encode(&hmac(&key, &text)?);
        let value = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.access_key
        );
        request.headers.insert(AUTHORIZATION, header_value(&AUTHORIZATION, &value)?);
        Ok(())
    }
}

/// The names of the signed headers, and the request in its canonical form.
fn canonical(request: &Request) -> Result<(String, String), String> {
    let url = &request.url;
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut headers = vec![("host", host)];
    for name in [CONTENT_TYPE, AMZ_DATE, AMZ_TOKEN] {
        if let Some(value) = request.headers.get(&name) {
            let text = |value: &HeaderValue| value.to_str().map(|text| text.trim().to_owned());
            let value = text(value).map_err(|_| format!("the header {name} is not ASCII"))?;
            headers.push(match name.as_str() {
                "content-type" => ("content-type", value),
                "x-amz-date" => ("x-amz-date", value),
                _ => ("x-amz-security-token", value),
            });
        }
    }
    headers.sort();
    let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let path = url.path().split('/').map(percent).collect::<Vec<_>>().join("/");
    let decoded = |text: &str| percent(&percent_decode_str(text).decode_utf8_lossy());
    let mut query: Vec<_> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    query.sort();
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let body = HEXLOWER.encode(&Sha256::digest(&request.body));
    let (method, query) = (&request.method, query.join("&"));
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{body}");
    Ok((signed, canonical))
}

fn hmac(key: &[u8], text: &str) -> Result<Vec<u8>, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)
        .map_err(|_| "the secret key cannot be used".to_owned())?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use reqwest::{Method, Url, header::HeaderMap};

    use super::*;

    /// 2015-08-30 12:36:00 UTC, the time of AWS's own examples.
    const NOW: i64 = 1_440_938_160_000;

    fn signature(
        service: &str,
        token: Option<&str>,
        method: Method,
        url: &str,
        form: Option<(&str, &str)>,
    ) -> String {
        let signer = Signer {
            region: "us-east-1".to_owned(),
            service: service.to_owned(),
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Hidden::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Hidden::from),
        };
        let mut headers = HeaderMap::new();
        let (media, body) = form.unwrap_or_default();
        if !media.is_empty() {
            headers.insert(CONTENT_TYPE, media.parse().unwrap());
        }
        let url = Url::parse(url).unwrap();
        let mut request = Request { method, url, headers, body: body.into() };
        signer.sign(&mut request, NOW).unwrap();
        let value = request.headers[AUTHORIZATION].to_str().unwrap();
        value.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    /// The documentation's example of IAM and the published test suite (`get-vanilla`,
    /// `get-vanilla-query-order-key-case`, `post-vanilla`, `post-x-www-form-urlencoded`,
    /// `post-sts-header-before`).
    #[test]
    fn signatures_are_those_that_aws_publishes() {
        const FORM: &str = "application/x-www-form-urlencoded";
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGB\
                     uFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtB\
                     mUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXA\
                     kiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9K\
                     SYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        for (service, token, method, url, form, expected) in [
            (
                "iam",
                None,
                Method::GET,
                "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
                Some(("application/x-www-form-urlencoded; charset=utf-8", "")),
                "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
            ),
            (
                "service",
                None,
                Method::GET,
                "https://example.amazonaws.com/",
                None,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "service",
                None,
                Method::GET,
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                None,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "service",
                None,
                Method::POST,
                "https://example.amazonaws.com/",
                None,
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "service",
                None,
                Method::POST,
                "https://example.amazonaws.com/",
                Some((FORM, "Param1=value1")),
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "service",
                Some(token),
                Method::POST,
                "https://example.amazonaws.com/",
                None,
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            assert_eq!(signature(service, token, method, url, form), expected, "{url}");
        }
    }
}
