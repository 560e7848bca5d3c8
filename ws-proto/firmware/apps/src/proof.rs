//! What shows that no panic can be reached: a handler that calls what does not exist, so that an image with
//! one does not link.

unsafe extern "C" {
    fn a_panic_can_be_reached() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it is never called, for there is no such function and no image with this call.
    unsafe { a_panic_can_be_reached() }
}
