//! Protocol modules for exgate in Rust: the guest side of `exproto_v1`.
//!
//! A module has one [`Protocol`], created when an instance starts, and a [`Handler`] for each connection. [`module!`]
//! exports it:
//!
//! ```
//! use exproto::{Action, Conn, Handler, Protocol};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     type Handler = Device;
//!     fn start(_config: &[u8]) -> Result<Self, String> {
//!         Ok(Echo)
//!     }
//!     fn handler(&mut self, conn: Conn) -> Device {
//!         Device(conn)
//!     }
//! }
//!
//! struct Device(Conn);
//!
//! impl Handler for Device {
//!     fn on_received_bytes(&mut self, bytes: &[u8]) -> Action {
//!         match self.0.send(bytes) {
//!             Ok(()) => Action::Continue,
//!             Err(_) => Action::Close,
//!         }
//!     }
//! }
//!
//! exproto::module!(Echo);
//! ```
//!
//! Natively the calls go to a fake gateway, which handlers can be unit-tested with: see [`testing`].
#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

pub mod checksum;
pub mod civil;
mod conn;
pub mod frames;
pub mod framing;
pub mod gbk;
mod guest;
mod handler;
mod host;
mod info;
pub mod jsontext;
mod message;
#[cfg(target_arch = "wasm32")]
mod module;
mod outcome;
pub mod packet;
mod properties;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod wire;

pub use conn::{ClientInfo, Conn, NO_ANSWER};
pub use handler::{Action, Handler, Protocol, TimerType};
pub use host::{log, Level};
pub use info::{Address, CertificateInfo, ConnInfo, SocketType};
pub use message::{Message, Messages};
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use module::Module;
pub use outcome::{Code, Outcome};
pub use properties::{Properties, Property, Request};

/// Exports a [`Protocol`] as the module. Write it once, in the crate of the module.
#[macro_export]
macro_rules! module {
    ($protocol:ty) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn(&[u8]) -> Result<$crate::testing::Gateway<$protocol>, String> = $crate::testing::Gateway::start;

        #[cfg(target_arch = "wasm32")]
        mod exproto_v1_exports {
            use super::*;

            static MODULE: $crate::Module<$protocol> = $crate::Module::new();

            #[no_mangle]
            extern "C" fn exproto_v1_buffer(size: usize) -> *mut u8 {
                // SAFETY: only the host calls exports; the same applies below.
                unsafe { MODULE.buffer(size) }
            }

            #[no_mangle]
            extern "C" fn exproto_v1_init(body: *const u8, n: usize) -> u32 {
                unsafe { MODULE.init(body, n) }
            }

            #[no_mangle]
            extern "C" fn exproto_v1_bytes(conn: i64, body: *const u8, n: usize) -> u32 {
                unsafe { MODULE.bytes(conn, body, n) }
            }

            #[no_mangle]
            extern "C" fn exproto_v1_event(kind: u32, conn: i64, arg: i64, body: *const u8, n: usize) -> u32 {
                unsafe { MODULE.event(kind, conn, arg, body, n) }
            }
        }
    };
}
