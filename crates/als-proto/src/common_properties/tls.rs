//! `envoy.data.accesslog.v3.TLSProperties`.

use crate::Malformed;
use crate::occurrences::Merge;
use crate::wire::{Fields, length_delimited, varint};

const TLS_VERSION: u32 = varint(1);
const TLS_CIPHER_SUITE: u32 = length_delimited(2);
const TLS_SNI_HOSTNAME: u32 = length_delimited(3);
const LOCAL_CERTIFICATE_PROPERTIES: u32 = length_delimited(4);
const PEER_CERTIFICATE_PROPERTIES: u32 = length_delimited(5);
const TLS_SESSION_ID: u32 = length_delimited(6);
const JA3_FINGERPRINT: u32 = length_delimited(7);
const LAST_KNOWN_FIELD: u32 = 7;

/// Fields of `CertificateProperties`.
const SUBJECT_ALT_NAME: u32 = length_delimited(1);
const SUBJECT: u32 = length_delimited(2);
const ISSUER: u32 = length_delimited(3);
const LAST_KNOWN_CERTIFICATE_FIELD: u32 = 3;

/// Members of the oneof `SubjectAltName.san`.
const URI: u32 = length_delimited(1);
const DNS: u32 = length_delimited(2);
const LAST_KNOWN_SAN: u32 = 2;

/// `envoy.data.accesslog.v3.TLSProperties`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsProperties<'a> {
    /// `TLSProperties.tls_version`, a `TLSVersion`.
    pub version: i32,
    /// `TLSProperties.tls_sni_hostname`.
    pub sni: &'a [u8],
    /// `TLSProperties.local_certificate_properties`.
    pub local_certificate: Option<Certificate<'a>>,
    /// `TLSProperties.peer_certificate_properties`.
    pub peer_certificate: Option<Certificate<'a>>,
}

/// `envoy.data.accesslog.v3.TLSProperties.CertificateProperties`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// `CertificateProperties.subject`.
    pub subject: &'a [u8],
    /// The first `SubjectAltName.uri` in `CertificateProperties.subject_alt_name` that says something; empty
    /// if none does.
    pub uri_san: &'a [u8],
}

/// The fields of `TLSProperties` that hold certificates, as they were sent: not decoded, and the certificates not checked. `None` if
/// there are others between them.
#[inline]
pub(super) fn certificates_as_sent(tls_properties: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let (mut first, mut behind_last): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Fields::new(tls_properties);
    loop {
        let field = fields.rest();
        let Some(key) = fields.key()? else { break };
        match key {
            LOCAL_CERTIFICATE_PROPERTIES | PEER_CERTIFICATE_PROPERTIES => {
                if first.is_empty() {
                    first = field;
                } else if field.len() != behind_last.len() {
                    return Ok(None);
                }
                fields.bytes()?;
                behind_last = fields.rest();
            }
            TLS_VERSION => {
                fields.int32()?;
            }
            TLS_CIPHER_SUITE | TLS_SNI_HOSTNAME | TLS_SESSION_ID | JA3_FINGERPRINT => {
                fields.bytes()?;
            }
            _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
        }
    }
    Ok(first.get(..first.len() - behind_last.len()))
}

/// `TLSProperties.tls_sni_hostname`. All else is passed over.
#[inline]
pub(super) fn server_name(tls_properties: &[u8]) -> Result<&[u8], Malformed> {
    let mut sni: &[u8] = &[];
    let mut fields = Fields::new(tls_properties);
    while let Some(key) = fields.key()? {
        match key {
            TLS_SNI_HOSTNAME => sni = fields.bytes()?,
            _ => fields.skip(key)?,
        }
    }
    Ok(sni)
}

impl<'a> Merge<'a> for TlsProperties<'a> {
    #[inline]
    fn merge(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                TLS_VERSION => self.version = fields.int32()?,
                TLS_SNI_HOSTNAME => self.sni = fields.bytes()?,
                LOCAL_CERTIFICATE_PROPERTIES => {
                    self.local_certificate
                        .get_or_insert_default()
                        .merge(fields.bytes()?)?;
                }
                PEER_CERTIFICATE_PROPERTIES => {
                    self.peer_certificate
                        .get_or_insert_default()
                        .merge(fields.bytes()?)?;
                }
                TLS_CIPHER_SUITE | TLS_SESSION_ID | JA3_FINGERPRINT => fields.skip(key)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
        Ok(())
    }
}

impl<'a> Merge<'a> for Certificate<'a> {
    #[inline]
    fn merge(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        match Self::only_uri(bytes) {
            Some(uri) if self.uri_san.is_empty() => self.uri_san = uri,
            _ => self.merge_fields(bytes)?,
        }
        Ok(())
    }
}

impl<'a> Certificate<'a> {
    /// The URI in `bytes`, if they are written as Envoy writes nearly every certificate of a mesh: with one URI and nothing else. Any
    /// other writing is read field by field.
    #[inline]
    fn only_uri(bytes: &'a [u8]) -> Option<&'a [u8]> {
        let name = Fields::new(bytes).only_short_bytes(SUBJECT_ALT_NAME)?;
        Fields::new(name).only_short_bytes(URI)
    }

    fn merge_fields(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                SUBJECT_ALT_NAME => {
                    let uri = uri_of(fields.bytes()?)?;
                    if self.uri_san.is_empty() {
                        self.uri_san = uri;
                    }
                }
                SUBJECT => self.subject = fields.bytes()?,
                ISSUER => fields.skip(key)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_CERTIFICATE_FIELD)?,
            }
        }
        Ok(())
    }
}

/// The URI of a `SubjectAltName`, empty if it is another name.
fn uri_of(subject_alt_name: &[u8]) -> Result<&[u8], Malformed> {
    let mut uri: &[u8] = &[];
    let mut fields = Fields::new(subject_alt_name);
    while let Some(key) = fields.key()? {
        match key {
            URI => uri = fields.bytes()?,
            DNS => {
                fields.skip(key)?;
                uri = &[];
            }
            _ => fields.skip_unknown(key, LAST_KNOWN_SAN)?,
        }
    }
    Ok(uri)
}
