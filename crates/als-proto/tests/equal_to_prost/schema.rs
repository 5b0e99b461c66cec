//! The messages of `StreamAccessLogsMessage` and `StreamMetricsMessage` as tables: which fields there are, and what they hold.

/// What a field holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// `bool`, `enum` or an integer.
    Varint,
    /// `double`.
    Fixed64,
    String,
    Bytes,
    Message(&'static Schema),
}

/// The fields of a message by number. A map is a message with the fields 1 (key) and 2 (value).
pub(crate) struct Schema(pub(crate) &'static [(u32, Kind)]);

use Kind::{Bytes, Fixed64, Message, String, Varint};

pub(crate) static STREAM_ACCESS_LOGS_MESSAGE: Schema = Schema(&[
    (1, Message(&IDENTIFIER)),
    (2, Message(&HTTP_ENTRIES)),
    (3, Message(&TCP_ENTRIES)),
]);
static IDENTIFIER: Schema = Schema(&[(1, Message(&NODE)), (2, String)]);
static NODE: Schema = Schema(&[
    (1, String),
    (2, String),
    (3, Message(&STRUCT)),
    (4, Message(&LOCALITY)),
    (6, String),
    (10, String),
]);
static LOCALITY: Schema = Schema(&[(1, String), (2, String), (3, String)]);

static STRUCT: Schema = Schema(&[(1, Message(&STRUCT_FIELD))]);
static STRUCT_FIELD: Schema = Schema(&[(1, String), (2, Message(&VALUE))]);
static VALUE: Schema = Schema(&[
    (1, Varint),
    (2, Fixed64),
    (3, String),
    (4, Varint),
    (5, Message(&STRUCT)),
    (6, Message(&LIST_VALUE)),
]);
static LIST_VALUE: Schema = Schema(&[(1, Message(&VALUE))]);

static HTTP_ENTRIES: Schema = Schema(&[(1, Message(&HTTP_ENTRY))]);
static HTTP_ENTRY: Schema = Schema(&[
    (1, Message(&COMMON)),
    (2, Varint),
    (3, Message(&HTTP_REQUEST)),
    (4, Message(&HTTP_RESPONSE)),
]);
static TCP_ENTRIES: Schema = Schema(&[(1, Message(&TCP_ENTRY))]);
static TCP_ENTRY: Schema = Schema(&[(1, Message(&COMMON)), (2, Message(&CONNECTION))]);
static CONNECTION: Schema = Schema(&[(1, Varint), (2, Varint)]);

static HTTP_REQUEST: Schema = Schema(&[
    (1, Varint),
    (2, String),
    (3, String),
    (4, Message(&UINT32_VALUE)),
    (5, String),
    (6, String),
    (7, String),
    (8, String),
    (9, String),
    (10, String),
    (11, Varint),
    (12, Varint),
    (13, Message(&HEADER)),
    (14, Varint),
    (15, Varint),
]);
static HTTP_RESPONSE: Schema = Schema(&[
    (1, Message(&UINT32_VALUE)),
    (2, Varint),
    (3, Varint),
    (4, Message(&HEADER)),
    (5, Message(&HEADER)),
    (6, String),
    (7, Varint),
    (8, Varint),
]);
static UINT32_VALUE: Schema = Schema(&[(1, Varint)]);
static HEADER: Schema = Schema(&[(1, String), (2, String)]);

static COMMON: Schema = Schema(&[
    (1, Fixed64),
    (2, Message(&ADDRESS)),
    (3, Message(&ADDRESS)),
    (4, Message(&TLS)),
    (5, Message(&TIME)),
    (6, Message(&TIME)),
    (7, Message(&TIME)),
    (8, Message(&TIME)),
    (9, Message(&TIME)),
    (10, Message(&TIME)),
    (11, Message(&TIME)),
    (12, Message(&TIME)),
    (13, Message(&ADDRESS)),
    (14, Message(&ADDRESS)),
    (15, String),
    (16, Message(&RESPONSE_FLAGS)),
    (17, Message(&METADATA)),
    (18, String),
    (19, String),
    (20, Message(&ADDRESS)),
    (21, Message(&FILTER_STATE_OBJECT)),
    (22, Message(&HEADER)),
    (23, Message(&TIME)),
    (24, Varint),
    (25, String),
    (26, String),
    (27, Varint),
    (28, String),
    (29, Varint),
    (30, Varint),
    (31, Varint),
    (32, Varint),
    (33, Varint),
]);
static ADDRESS: Schema = Schema(&[
    (1, Message(&SOCKET_ADDRESS)),
    (2, Message(&PIPE)),
    (3, Message(&INTERNAL_ADDRESS)),
]);
static SOCKET_ADDRESS: Schema = Schema(&[
    (1, Varint),
    (2, String),
    (3, Varint),
    (4, String),
    (5, String),
    (6, Varint),
    (7, String),
]);
static PIPE: Schema = Schema(&[(1, String), (2, Varint)]);
static INTERNAL_ADDRESS: Schema = Schema(&[(1, String), (2, String)]);
static TIME: Schema = Schema(&[(1, Varint), (2, Varint)]);
static METADATA: Schema = Schema(&[(1, Message(&FILTER_METADATA))]);
static FILTER_METADATA: Schema = Schema(&[(1, String), (2, Message(&STRUCT))]);
static FILTER_STATE_OBJECT: Schema = Schema(&[(1, String), (2, Message(&ANY))]);
static ANY: Schema = Schema(&[(1, String), (2, Bytes)]);

static TLS: Schema = Schema(&[
    (1, Varint),
    (2, Message(&UINT32_VALUE)),
    (3, String),
    (4, Message(&CERTIFICATE)),
    (5, Message(&CERTIFICATE)),
    (6, String),
    (7, String),
]);
static CERTIFICATE: Schema = Schema(&[(1, Message(&SUBJECT_ALT_NAME)), (2, String), (3, String)]);
static SUBJECT_ALT_NAME: Schema = Schema(&[(1, String), (2, String)]);

static RESPONSE_FLAGS: Schema = Schema(&[
    (1, Varint),
    (2, Varint),
    (3, Varint),
    (4, Varint),
    (5, Varint),
    (6, Varint),
    (7, Varint),
    (8, Varint),
    (9, Varint),
    (10, Varint),
    (11, Varint),
    (12, Varint),
    (13, Message(&UNAUTHORIZED)),
    (14, Varint),
    (15, Varint),
    (16, Varint),
    (17, Varint),
    (18, Varint),
    (19, Varint),
    (20, Varint),
    (21, Varint),
    (22, Varint),
    (23, Varint),
    (24, Varint),
    (25, Varint),
    (26, Varint),
    (27, Varint),
    (28, Varint),
]);
static UNAUTHORIZED: Schema = Schema(&[(1, Varint)]);

pub(crate) static STREAM_METRICS_MESSAGE: Schema =
    Schema(&[(1, Message(&METRICS_IDENTIFIER)), (2, Message(&METRIC_FAMILY))]);
static METRICS_IDENTIFIER: Schema = Schema(&[(1, Message(&NODE))]);
static METRIC_FAMILY: Schema = Schema(&[
    (1, String),
    (2, String),
    (3, Varint),
    (4, Message(&METRIC)),
    (5, String),
]);
static METRIC: Schema = Schema(&[
    (1, Message(&HEADER)),
    (2, Message(&GAUGE)),
    (3, Message(&COUNTER)),
    (4, Message(&SUMMARY)),
    (5, Message(&GAUGE)),
    (6, Varint),
    (7, Message(&HISTOGRAM)),
]);
static GAUGE: Schema = Schema(&[(1, Fixed64)]);
static COUNTER: Schema = Schema(&[(1, Fixed64), (2, Message(&EXEMPLAR)), (3, Message(&TIME))]);
static EXEMPLAR: Schema = Schema(&[(1, Message(&HEADER)), (2, Fixed64), (3, Message(&TIME))]);
static SUMMARY: Schema = Schema(&[
    (1, Varint),
    (2, Fixed64),
    (3, Message(&QUANTILE)),
    (4, Message(&TIME)),
]);
static QUANTILE: Schema = Schema(&[(1, Fixed64), (2, Fixed64)]);
static HISTOGRAM: Schema = Schema(&[
    (1, Varint),
    (2, Fixed64),
    (3, Message(&BUCKET)),
    (4, Fixed64),
    (5, Varint),
    (15, Message(&TIME)),
]);
static BUCKET: Schema = Schema(&[(1, Varint), (2, Fixed64), (3, Message(&EXEMPLAR)), (4, Fixed64)]);
