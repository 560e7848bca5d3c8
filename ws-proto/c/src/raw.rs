//! Pointers from C: what can be checked of them is, and the rest is the contract.
//!
//! # The contract
//!
//! A pointer of an argument that is not null points to memory of the size that its type or its length tells,
//! which is the caller's for the whole call: no other thread writes it, and what is read has been written
//! before. A string ends with a NUL. The library keeps no pointer beyond the call.
//!
//! What is checked: that a pointer is not null where there must be something, that it is aligned, that a
//! length is not beyond the address space, that an object has been initialised and is of the right type, and
//! that what is written overlaps nothing else of the call.

use core::ffi::{CStr, c_char};
use core::slice;

use crate::result::{Outcome, wsp_result};

/// Where in memory an argument lies.
#[derive(Clone, Copy)]
pub(crate) struct Region {
    start: usize,
    end: usize,
}

impl Region {
    /// Nothing, which overlaps nothing.
    pub(crate) const NOTHING: Self = Self { start: 0, end: 0 };

    fn new(start: usize, len: usize) -> Outcome<Self> {
        // Slices of Rust are at most this long, and no object of C is longer.
        if len > isize::MAX.unsigned_abs() {
            return Err(wsp_result::WSP_LENGTH);
        }
        let end = start.checked_add(len).ok_or(wsp_result::WSP_LENGTH)?;
        Ok(Self { start, end })
    }

    fn overlaps(self, other: Self) -> bool {
        let either_empty = self.start == self.end || other.start == other.end;
        !either_empty && self.start < other.end && other.start < self.end
    }
}

/// Checks a pointer to one `T`, and tells where it lies.
pub(crate) fn place<T>(ptr: *const T) -> Outcome<Region> {
    if ptr.is_null() {
        return Err(wsp_result::WSP_NULL);
    }
    if !ptr.is_aligned() {
        return Err(wsp_result::WSP_MISALIGNED);
    }
    Region::new(ptr.addr(), size_of::<T>())
}

/// Checks a pointer to `count` of `T`; null stands for none of them.
pub(crate) fn places<T>(ptr: *const T, count: usize) -> Outcome<Region> {
    if count == 0 {
        return Ok(Region::NOTHING);
    }
    place(ptr)?;
    Region::new(ptr.addr(), count.checked_mul(size_of::<T>()).ok_or(wsp_result::WSP_LENGTH)?)
}

/// Checks that none of these overlaps another one.
pub(crate) fn apart(regions: &[Region]) -> Outcome<()> {
    let mut rest = regions;
    while let [region, others @ ..] = rest {
        apart_from(*region, others)?;
        rest = others;
    }
    Ok(())
}

/// Checks that this one overlaps none of the others.
pub(crate) fn apart_from(region: Region, others: &[Region]) -> Outcome<()> {
    if others.iter().any(|other| region.overlaps(*other)) {
        return Err(wsp_result::WSP_OVERLAP);
    }
    Ok(())
}

/// `count` of `T`, for [`places`] has checked them.
///
/// # Safety
/// The contract; the memory is not written while the slice is used.
pub(crate) unsafe fn slice<'c, T>(ptr: *const T, count: usize) -> &'c [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: not null, aligned, not too long (`places`); the rest is the contract.
    unsafe { slice::from_raw_parts(ptr, count) }
}

/// `len` bytes to write to.
///
/// # Safety
/// The contract; nothing else uses the memory while the slice is used (`apart`).
pub(crate) unsafe fn slice_mut<'c>(ptr: *mut u8, len: usize) -> &'c mut [u8] {
    if len == 0 {
        return &mut [];
    }
    // SAFETY: not null, not too long (`places`); the rest is the contract.
    unsafe { slice::from_raw_parts_mut(ptr, len) }
}

/// The bytes of a string, without its NUL, which overlap nothing that is `written`.
///
/// # Safety
/// The contract; the memory is not written while the slice is used.
pub(crate) unsafe fn string<'c>(ptr: *const c_char, written: &[Region]) -> Outcome<&'c [u8]> {
    place(ptr)?;
    // SAFETY: not null; that it ends with a NUL is the contract.
    let bytes = unsafe { CStr::from_ptr(ptr) }.to_bytes();
    apart_from(places(bytes.as_ptr(), bytes.len())?, written)?;
    Ok(bytes)
}

/// What is in an opaque object.
pub(crate) trait Content {
    /// Tells an object of this kind from other memory.
    const MAGIC: u32;
}

/// How an opaque object lies in its memory.
#[repr(C)]
pub(crate) struct Object<T> {
    magic: u32,
    content: T,
}

/// Fails to compile if an object `O` of C has no room for a `T`.
pub(crate) const fn fits<O, T>() {
    assert!(size_of::<Object<T>>() <= size_of::<O>(), "the object is too small");
    assert!(align_of::<Object<T>>() <= align_of::<O>(), "the object is not aligned as it must be");
}

/// Puts `content` into an object, whatever was in it.
///
/// # Safety
/// The contract; [`place`] has checked the pointer; nothing refers to the object.
pub(crate) unsafe fn init<O, T: Content>(ptr: *mut O, content: T) {
    const { fits::<O, T>() };
    // SAFETY: it is aligned for `O` and there is room for one (`place`, the contract), hence for this.
    unsafe { ptr.cast::<Object<T>>().write(Object { magic: T::MAGIC, content }) }
}

/// What is in an object that has been initialised.
///
/// # Safety
/// The contract; [`place`] has checked the pointer; nothing else refers to the object meanwhile.
pub(crate) unsafe fn content<'c, O, T: Content>(ptr: *mut O) -> Outcome<&'c mut T> {
    // SAFETY: as there.
    unsafe { content_ref::<O, T>(ptr) }?;
    // SAFETY: as there, and nothing else refers to it.
    let object = unsafe { &mut *ptr.cast::<Object<T>>() };
    Ok(&mut object.content)
}

/// The same to look at.
///
/// # Safety
/// The contract; [`place`] has checked the pointer; the object is not written meanwhile.
pub(crate) unsafe fn content_ref<'c, O, T: Content>(ptr: *const O) -> Outcome<&'c T> {
    const { fits::<O, T>() };
    // Not yet a reference to the whole: the content may be anything while the magic is not there.
    // SAFETY: aligned (`place`), and there is room for one (the contract); the magic is the first of it.
    let magic = unsafe { ptr.cast::<u32>().read() };
    if magic != T::MAGIC {
        return Err(wsp_result::WSP_NOT_INITIALISED);
    }
    // SAFETY: as before, and the magic tells that `init` has filled it. (Memory that holds it by chance
    // can't be told; that the caller does not make such is the contract.)
    let object = unsafe { &*ptr.cast::<Object<T>>() };
    Ok(&object.content)
}
