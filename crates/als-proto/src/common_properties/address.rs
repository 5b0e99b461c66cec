//! `envoy.config.core.v3.Address`.

use crate::Malformed;
use crate::occurrences::Merge;
use crate::wire::{Fields, length_delimited, varint};

/// Members of the oneof `Address.address`.
const SOCKET_ADDRESS: u32 = length_delimited(1);
const PIPE: u32 = length_delimited(2);
const ENVOY_INTERNAL_ADDRESS: u32 = length_delimited(3);
const LAST_KNOWN_KIND: u32 = 3;

/// Fields of `SocketAddress`.
const PROTOCOL: u32 = varint(1);
const ADDRESS: u32 = length_delimited(2);
const PORT_VALUE: u32 = varint(3);
const NAMED_PORT: u32 = length_delimited(4);
const RESOLVER_NAME: u32 = length_delimited(5);
const IPV4_COMPAT: u32 = varint(6);
const NETWORK_NAMESPACE_FILEPATH: u32 = length_delimited(7);
const LAST_KNOWN_SOCKET_FIELD: u32 = 7;

/// Fields of `Pipe`.
const PATH: u32 = length_delimited(1);
const MODE: u32 = varint(2);
const LAST_KNOWN_PIPE_FIELD: u32 = 2;

/// Fields of `EnvoyInternalAddress`.
const SERVER_LISTENER_NAME: u32 = length_delimited(1);
const ENDPOINT_ID: u32 = length_delimited(2);
const LAST_KNOWN_INTERNAL_FIELD: u32 = 2;

/// `envoy.config.core.v3.Address`, by the member of its oneof `address`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Address<'a> {
    /// `envoy.config.core.v3.SocketAddress`.
    Socket {
        /// `SocketAddress.address`: an IP address in text, or a host name.
        address: &'a [u8],
        /// `SocketAddress.port_value`; 0 when the address has a `named_port` or none.
        port: u32,
    },
    /// `envoy.config.core.v3.Pipe`.
    Pipe {
        /// `Pipe.path`.
        path: &'a [u8],
    },
    /// `envoy.config.core.v3.EnvoyInternalAddress`.
    Internal {
        /// `EnvoyInternalAddress.server_listener_name`.
        server_listener_name: &'a [u8],
        /// `EnvoyInternalAddress.endpoint_id`.
        endpoint_id: &'a [u8],
    },
    /// The oneof has no member, or one that is newer than this reader.
    #[default]
    Unset,
}

impl<'a> Merge<'a> for Address<'a> {
    #[inline]
    fn merge(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        if let (Self::Unset, Some(socket)) = (*self, Self::plain_socket(bytes)) {
            *self = socket;
            return Ok(());
        }
        self.merge_other(bytes)
    }
}

impl<'a> Address<'a> {
    #[inline(never)]
    fn merge_other(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        if let (Self::Unset, Some(internal)) = (*self, Self::plain_internal(bytes)) {
            *self = internal;
            return Ok(());
        }
        self.merge_fields(bytes)
    }

    /// The socket address in `bytes`, if they are written as Envoy writes nearly every address: an address, then a port, nothing
    /// else. Any other writing is read field by field.
    #[inline]
    fn plain_socket(bytes: &'a [u8]) -> Option<Self> {
        const KEYS: [u8; 3] = [SOCKET_ADDRESS as u8, ADDRESS as u8, PORT_VALUE as u8];
        let [socket_key, length, address_key, address_length, ref socket @ ..] = *bytes else {
            return None;
        };
        let are_short = length < 0x80 && address_length < 0x80;
        let (address, port) = socket.split_at_checked(address_length.into())?;
        let [port_key, ref port @ ..] = *port else {
            return None;
        };
        if !are_short || [socket_key, address_key, port_key] != KEYS || usize::from(length) + 2 != bytes.len()
        {
            return None;
        }
        let port = match *port {
            [low] if low < 0x80 => u32::from(low),
            [low, high] if low >= 0x80 && high < 0x80 => u32::from(low & 0x7f) | u32::from(high) << 7,
            [low, middle, high] if low & middle >= 0x80 && high < 0x80 => {
                u32::from(low & 0x7f) | u32::from(middle & 0x7f) << 7 | u32::from(high) << 14
            }
            _ => return None,
        };
        Some(Self::Socket { address, port })
    }

    /// The same of an address inside Envoy: the name of a listener, then an id.
    fn plain_internal(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(Fields::new(bytes).only_short_bytes(ENVOY_INTERNAL_ADDRESS)?);
        Some(Self::Internal {
            server_listener_name: fields.short_bytes(SERVER_LISTENER_NAME)?,
            endpoint_id: fields.only_short_bytes(ENDPOINT_ID)?,
        })
    }

    fn merge_fields(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                SOCKET_ADDRESS => *self = self.merged_with_socket(fields.bytes()?)?,
                PIPE => *self = self.merged_with_pipe(fields.bytes()?)?,
                ENVOY_INTERNAL_ADDRESS => *self = self.merged_with_internal(fields.bytes()?)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_KIND)?,
            }
        }
        Ok(())
    }

    fn merged_with_socket(self, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (mut address, mut port): (&[u8], u32) = match self {
            Self::Socket { address, port } => (address, port),
            Self::Pipe { .. } | Self::Internal { .. } | Self::Unset => (&[], 0),
        };
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                ADDRESS => address = fields.bytes()?,
                PORT_VALUE => port = fields.uint32()?,
                NAMED_PORT => {
                    fields.skip(key)?;
                    port = 0;
                }
                PROTOCOL | RESOLVER_NAME | IPV4_COMPAT | NETWORK_NAMESPACE_FILEPATH => fields.skip(key)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_SOCKET_FIELD)?,
            }
        }
        Ok(Self::Socket { address, port })
    }

    fn merged_with_pipe(self, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut path: &[u8] = if let Self::Pipe { path } = self { path } else { &[] };
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                PATH => path = fields.bytes()?,
                MODE => fields.skip(key)?,
                _ => fields.skip_unknown(key, LAST_KNOWN_PIPE_FIELD)?,
            }
        }
        Ok(Self::Pipe { path })
    }

    fn merged_with_internal(self, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (mut server_listener_name, mut endpoint_id): (&[u8], &[u8]) = match self {
            Self::Internal {
                server_listener_name,
                endpoint_id,
            } => (server_listener_name, endpoint_id),
            Self::Socket { .. } | Self::Pipe { .. } | Self::Unset => (&[], &[]),
        };
        let mut fields = Fields::new(bytes);
        while let Some(key) = fields.key()? {
            match key {
                SERVER_LISTENER_NAME => server_listener_name = fields.bytes()?,
                ENDPOINT_ID => endpoint_id = fields.bytes()?,
                _ => fields.skip_unknown(key, LAST_KNOWN_INTERNAL_FIELD)?,
            }
        }
        Ok(Self::Internal {
            server_listener_name,
            endpoint_id,
        })
    }
}
