//! `envoy.data.accesslog.v3.AccessLogCommon`: what HTTP and TCP entries share.
//!
//! Numbers, strings and flags are read at once. A submessage is kept as the bytes of its first occurrence and is
//! decoded when it is asked for; what occurs again is found again in the bytes of the entry.

mod address;
mod filter_state;
mod lazy_fields;
mod response_flags;
mod time;
mod tls;

pub use address::Address;
pub use filter_state::{FilterStateObject, FilterStateObjects};
pub use response_flags::ResponseFlags;
pub use time::{Duration, Timestamp};
pub use tls::{Certificate, TlsProperties};

use lazy_fields::{LazyFields, lazy_field_number};

use crate::Malformed;
use crate::occurrences::RepeatedField;
use crate::wire::{Fields, fixed64, length_delimited, varint};

/// `HTTPAccessLogEntry.common_properties` and `TCPAccessLogEntry.common_properties`.
pub(crate) const COMMON_PROPERTIES: u32 = length_delimited(1);

const SAMPLE_RATE: u32 = fixed64(1);
const DOWNSTREAM_REMOTE_ADDRESS: u32 = length_delimited(2);
const DOWNSTREAM_LOCAL_ADDRESS: u32 = length_delimited(3);
const TLS_PROPERTIES: u32 = length_delimited(4);
const START_TIME: u32 = length_delimited(5);
const TIME_TO_LAST_RX_BYTE: u32 = length_delimited(6);
const TIME_TO_FIRST_UPSTREAM_TX_BYTE: u32 = length_delimited(7);
const TIME_TO_LAST_UPSTREAM_TX_BYTE: u32 = length_delimited(8);
const TIME_TO_FIRST_UPSTREAM_RX_BYTE: u32 = length_delimited(9);
const TIME_TO_LAST_UPSTREAM_RX_BYTE: u32 = length_delimited(10);
const TIME_TO_FIRST_DOWNSTREAM_TX_BYTE: u32 = length_delimited(11);
const TIME_TO_LAST_DOWNSTREAM_TX_BYTE: u32 = length_delimited(12);
const UPSTREAM_REMOTE_ADDRESS: u32 = length_delimited(13);
const UPSTREAM_LOCAL_ADDRESS: u32 = length_delimited(14);
const UPSTREAM_CLUSTER: u32 = length_delimited(15);
const RESPONSE_FLAGS: u32 = length_delimited(16);
const UPSTREAM_TRANSPORT_FAILURE_REASON: u32 = length_delimited(18);
const ROUTE_NAME: u32 = length_delimited(19);
const DOWNSTREAM_DIRECT_REMOTE_ADDRESS: u32 = length_delimited(20);
const FILTER_STATE_OBJECTS: u32 = length_delimited(21);
const DURATION: u32 = length_delimited(23);
const UPSTREAM_REQUEST_ATTEMPT_COUNT: u32 = varint(24);
const CONNECTION_TERMINATION_DETAILS: u32 = length_delimited(25);
const STREAM_ID: u32 = length_delimited(26);
const INTERMEDIATE_LOG_ENTRY: u32 = varint(27);
const DOWNSTREAM_TRANSPORT_FAILURE_REASON: u32 = length_delimited(28);
const DOWNSTREAM_WIRE_BYTES_SENT: u32 = varint(29);
const DOWNSTREAM_WIRE_BYTES_RECEIVED: u32 = varint(30);
const UPSTREAM_WIRE_BYTES_SENT: u32 = varint(31);
const UPSTREAM_WIRE_BYTES_RECEIVED: u32 = varint(32);
const ACCESS_LOG_TYPE: u32 = varint(33);
const LAST_KNOWN_FIELD: u32 = 33;

/// `envoy.data.accesslog.v3.AccessLogCommon`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommonProperties<'a> {
    lazy: LazyFields<'a>,
    filter_state_objects: RepeatedField<'a>,
    /// `AccessLogCommon.upstream_cluster`.
    pub upstream_cluster: &'a [u8],
    /// `AccessLogCommon.response_flags`; empty also when the entry has none.
    pub response_flags: ResponseFlags,
    /// `AccessLogCommon.upstream_transport_failure_reason`.
    pub upstream_transport_failure_reason: &'a [u8],
    /// `AccessLogCommon.route_name`.
    pub route_name: &'a [u8],
    /// `AccessLogCommon.upstream_request_attempt_count`.
    pub upstream_request_attempt_count: u32,
    /// `AccessLogCommon.connection_termination_details`.
    pub connection_termination_details: &'a [u8],
    /// `AccessLogCommon.stream_id`.
    pub stream_id: &'a [u8],
    /// `AccessLogCommon.intermediate_log_entry`.
    pub intermediate_log_entry: bool,
    /// `AccessLogCommon.downstream_transport_failure_reason`.
    pub downstream_transport_failure_reason: &'a [u8],
    /// `AccessLogCommon.downstream_wire_bytes_sent`.
    pub downstream_wire_bytes_sent: u64,
    /// `AccessLogCommon.downstream_wire_bytes_received`.
    pub downstream_wire_bytes_received: u64,
    /// `AccessLogCommon.upstream_wire_bytes_sent`.
    pub upstream_wire_bytes_sent: u64,
    /// `AccessLogCommon.upstream_wire_bytes_received`.
    pub upstream_wire_bytes_received: u64,
    /// `AccessLogCommon.access_log_type`, an `AccessLogType`.
    pub access_log_type: i32,
}

impl<'a> CommonProperties<'a> {
    /// The properties, if the entry has any.
    #[inline]
    pub(crate) fn if_present(&self) -> Option<&Self> {
        if self.lazy.has_entry() { Some(self) } else { None }
    }

    /// Merges one occurrence of the properties into those before it; `entry` are the bytes of the entry
    /// around it.
    #[inline]
    pub(crate) fn merge(&mut self, bytes: &'a [u8], entry: &'a [u8]) -> Result<(), Malformed> {
        if self.lazy.has_entry() {
            self.filter_state_objects = RepeatedField::in_all(entry, COMMON_PROPERTIES);
        }
        self.lazy.set_entry(entry);
        self.merge_fields(bytes)
    }

    #[inline]
    fn merge_fields(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        loop {
            let field = fields;
            let Some(key) = fields.key()? else { break };
            if let Some(number) = lazy_field_number(key) {
                self.lazy.note_occurrence(number, fields.bytes()?);
                continue;
            }
            match key {
                FILTER_STATE_OBJECTS => {
                    fields.bytes()?;
                    self.filter_state_objects.note_occurrence(field, fields);
                }
                UPSTREAM_REQUEST_ATTEMPT_COUNT => self.upstream_request_attempt_count = fields.uint32()?,
                INTERMEDIATE_LOG_ENTRY => self.intermediate_log_entry = fields.boolean()?,
                DOWNSTREAM_WIRE_BYTES_SENT => self.downstream_wire_bytes_sent = fields.uint64()?,
                DOWNSTREAM_WIRE_BYTES_RECEIVED => self.downstream_wire_bytes_received = fields.uint64()?,
                UPSTREAM_WIRE_BYTES_SENT => self.upstream_wire_bytes_sent = fields.uint64()?,
                UPSTREAM_WIRE_BYTES_RECEIVED => self.upstream_wire_bytes_received = fields.uint64()?,
                ACCESS_LOG_TYPE => self.access_log_type = fields.int32()?,
                SAMPLE_RATE => fields.skip(key)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_FIELD)?,
            }
        }
        let lazy = &self.lazy;
        lazy.string(UPSTREAM_CLUSTER, &mut self.upstream_cluster)?;
        self.response_flags = lazy.decode(RESPONSE_FLAGS)?.unwrap_or_default();
        lazy.string(
            UPSTREAM_TRANSPORT_FAILURE_REASON,
            &mut self.upstream_transport_failure_reason,
        )?;
        lazy.string(ROUTE_NAME, &mut self.route_name)?;
        lazy.string(
            CONNECTION_TERMINATION_DETAILS,
            &mut self.connection_termination_details,
        )?;
        lazy.string(STREAM_ID, &mut self.stream_id)?;
        lazy.string(
            DOWNSTREAM_TRANSPORT_FAILURE_REASON,
            &mut self.downstream_transport_failure_reason,
        )?;
        Ok(())
    }

    /// `AccessLogCommon.downstream_remote_address`: whom the request came from, which may be derived from
    /// headers.
    #[inline]
    pub fn downstream_remote_address(&self) -> Result<Option<Address<'a>>, Malformed> {
        self.lazy.decode(DOWNSTREAM_REMOTE_ADDRESS)
    }

    /// `AccessLogCommon.downstream_local_address`: where the request arrived.
    #[inline]
    pub fn downstream_local_address(&self) -> Result<Option<Address<'a>>, Malformed> {
        self.lazy.decode(DOWNSTREAM_LOCAL_ADDRESS)
    }

    /// `AccessLogCommon.upstream_remote_address`: the upstream host.
    #[inline]
    pub fn upstream_remote_address(&self) -> Result<Option<Address<'a>>, Malformed> {
        self.lazy.decode(UPSTREAM_REMOTE_ADDRESS)
    }

    /// `AccessLogCommon.upstream_local_address`: this Envoy's end of the upstream connection.
    #[inline]
    pub fn upstream_local_address(&self) -> Result<Option<Address<'a>>, Malformed> {
        self.lazy.decode(UPSTREAM_LOCAL_ADDRESS)
    }

    /// `AccessLogCommon.downstream_direct_remote_address`: the physical peer.
    #[inline]
    pub fn downstream_direct_remote_address(&self) -> Result<Option<Address<'a>>, Malformed> {
        self.lazy.decode(DOWNSTREAM_DIRECT_REMOTE_ADDRESS)
    }

    /// `AccessLogCommon.tls_properties` of the downstream connection.
    #[inline]
    pub fn tls_properties(&self) -> Result<Option<TlsProperties<'a>>, Malformed> {
        self.lazy.decode(TLS_PROPERTIES)
    }

    /// `AccessLogCommon.downstream_local_address` as it was sent, not decoded and not checked; empty if there is none. `None` if it
    /// was sent in pieces, which only decoding merges.
    #[inline]
    pub fn downstream_local_address_as_sent(&self) -> Option<&'a [u8]> {
        self.lazy.only(DOWNSTREAM_LOCAL_ADDRESS)
    }

    /// The same of `AccessLogCommon.upstream_remote_address`.
    #[inline]
    pub fn upstream_remote_address_as_sent(&self) -> Option<&'a [u8]> {
        self.lazy.only(UPSTREAM_REMOTE_ADDRESS)
    }

    /// The fields of `AccessLogCommon.tls_properties` that hold certificates, as they were sent; empty if there are none. All else of
    /// the properties is checked, the certificates are not. `None` if the fields were sent apart, so that only decoding finds them
    /// together. Other than the rest of the properties they are the same on every connection of two workloads.
    #[inline]
    pub fn certificates_as_sent(&self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.lazy.only(TLS_PROPERTIES) {
            Some(tls_properties) => tls::certificates_as_sent(tls_properties),
            None => Ok(None),
        }
    }

    /// `TLSProperties.tls_sni_hostname` of `AccessLogCommon.tls_properties`; blank if there is none. Nothing else of them is decoded.
    #[inline]
    pub fn server_name(&self) -> Result<&'a [u8], Malformed> {
        match self.lazy.only(TLS_PROPERTIES) {
            Some(tls_properties) => tls::server_name(tls_properties),
            None => Ok(self.tls_properties()?.map_or(&[], |tls| tls.sni)),
        }
    }

    /// `AccessLogCommon.start_time`.
    #[inline]
    pub fn start_time(&self) -> Result<Option<Timestamp>, Malformed> {
        self.lazy.decode(START_TIME)
    }

    /// `AccessLogCommon.time_to_last_rx_byte`.
    #[inline]
    pub fn time_to_last_rx_byte(&self) -> Result<Option<Duration>, Malformed> {
        self.lazy.decode(TIME_TO_LAST_RX_BYTE)
    }

    /// `AccessLogCommon.time_to_first_upstream_tx_byte`.
    #[inline]
    pub fn time_to_first_upstream_tx_byte(&self) -> Result<Option<Duration>, Malformed> {
        self.lazy.decode(TIME_TO_FIRST_UPSTREAM_TX_BYTE)
    }

    /// `AccessLogCommon.time_to_last_upstream_tx_byte`.
    #[inline]
    pub fn time_to_last_upstream_tx_byte(&self) -> Result<Option<Duration>, Malformed> {
        self.lazy.decode(TIME_TO_LAST_UPSTREAM_TX_BYTE)
    }

    /// `AccessLogCommon.time_to_first_upstream_rx_byte`.
    #[inline]
    pub fn time_to_first_upstream_rx_byte(&self) -> Result<Option<Duration>, Malformed> {
        self.lazy.decode(TIME_TO_FIRST_UPSTREAM_RX_BYTE)
    }

    /// `AccessLogCommon.time_to_last_upstream_rx_byte`.
    #[inline]
    pub fn time_to_last_upstream_rx_byte(&self) -> Result<Option<Duration>, Malformed> {
        self.lazy.decode(TIME_TO_LAST_UPSTREAM_RX_BYTE)
    }

    /// `AccessLogCommon.time_to_first_downstream_tx_byte`.
    #[inline]
    pub fn time_to_first_downstream_tx_byte(&self) -> Result<Option<Duration>, Malformed> {
        self.lazy.decode(TIME_TO_FIRST_DOWNSTREAM_TX_BYTE)
    }

    /// `AccessLogCommon.time_to_last_downstream_tx_byte`.
    #[inline]
    pub fn time_to_last_downstream_tx_byte(&self) -> Result<Option<Duration>, Malformed> {
        self.lazy.decode(TIME_TO_LAST_DOWNSTREAM_TX_BYTE)
    }

    /// `AccessLogCommon.duration`.
    #[inline]
    pub fn duration(&self) -> Result<Option<Duration>, Malformed> {
        self.lazy.decode(DURATION)
    }

    /// `AccessLogCommon.filter_state_objects`.
    #[inline]
    pub fn filter_state_objects(&self) -> FilterStateObjects<'a> {
        FilterStateObjects::new(self.filter_state_objects.occurrences(FILTER_STATE_OBJECTS))
    }
}
