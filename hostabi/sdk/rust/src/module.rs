use std::cell::UnsafeCell;
use std::slice;

use crate::guest::Guest;
use crate::{log, Level, Protocol};

/// The state of a module, used by its exports: [`module!`](crate::module!) defines one.
pub struct Module<P: Protocol> {
    guest: UnsafeCell<Option<Guest<P>>>,
    buffer: UnsafeCell<Vec<u8>>,
}

// SAFETY: a module has one thread, and the host does not enter it during an import. So no two exports run at once, and
// the reference that an export takes to a cell is the only one.
unsafe impl<P: Protocol> Sync for Module<P> {}

impl<P: Protocol> Module<P> {
    /// A module that has not been started.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Module { guest: UnsafeCell::new(None), buffer: UnsafeCell::new(Vec::new()) }
    }

    /// The address where the host may write size bytes, or 0 if there is no memory for them.
    ///
    /// # Safety
    /// To be called by the host only.
    pub unsafe fn buffer(&self, size: usize) -> *mut u8 {
        let buffer = unsafe { &mut *self.buffer.get() };
        if buffer.len() < size {
            let mut larger = Vec::new();
            if larger.try_reserve_exact(size).is_err() {
                return std::ptr::null_mut();
            }
            larger.resize(size, 0);
            *buffer = larger;
        }
        buffer.as_mut_ptr()
    }

    /// Starts the protocol. Returns 0, or 1 if it refused.
    ///
    /// # Safety
    /// To be called by the host only, with a body that it has written.
    pub unsafe fn init(&self, body: *const u8, n: usize) -> u32 {
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
        let guest = unsafe { &mut *self.guest.get() };
        *guest = Guest::start(unsafe { body_of(body, n) });
        u32::from(guest.is_none())
    }

    /// Delivers bytes.
    ///
    /// # Safety
    /// To be called by the host only, with a body that it has written.
    pub unsafe fn bytes(&self, conn: i64, body: *const u8, n: usize) -> u32 {
        let guest = unsafe { &mut *self.guest.get() }.as_mut().expect("the host starts a module before its first event");
        guest.bytes(conn, unsafe { body_of(body, n) }) as u32
    }

    /// Delivers any other event.
    ///
    /// # Safety
    /// To be called by the host only, with a body that it has written.
    pub unsafe fn event(&self, kind: u32, conn: i64, arg: i64, body: *const u8, n: usize) -> u32 {
        let guest = unsafe { &mut *self.guest.get() }.as_mut().expect("the host starts a module before its first event");
        guest.event(kind, conn, arg, unsafe { body_of(body, n) }) as u32
    }
}

/// The body of an event, which is valid until the export returns.
unsafe fn body_of<'a>(body: *const u8, n: usize) -> &'a [u8] {
    if n == 0 {
        return &[];
    }
    unsafe { slice::from_raw_parts(body, n) }
}
