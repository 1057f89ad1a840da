//! Numbers in bytes, little endian, at places that are known.

/// Reads the number of `N` bytes at `offset`; the caller has made sure that they are there.
#[inline]
fn array<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes[offset..offset + N].try_into().expect("as many bytes as were cut out")
}

#[inline]
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes(array(bytes, offset))
}

#[inline]
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array(bytes, offset))
}

#[inline]
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array(bytes, offset))
}

#[inline]
pub(crate) fn f64_at(bytes: &[u8], offset: usize) -> f64 {
    f64::from_le_bytes(array(bytes, offset))
}

/// Cuts the first `length` bytes off what is left; `None`: there are not so many.
#[inline]
pub(crate) fn cut<'a>(left: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (first, rest) = left.split_at_checked(length)?;
    *left = rest;
    Some(first)
}

/// The same for a number.
#[inline]
pub(crate) fn cut_u32(left: &mut &[u8]) -> Option<u32> {
    cut(left, 4).map(|bytes| u32_at(bytes, 0))
}

/// The same for a float.
#[inline]
pub(crate) fn cut_f64(left: &mut &[u8]) -> Option<f64> {
    cut(left, 8).map(|bytes| f64_at(bytes, 0))
}

/// The same for a longer number.
#[inline]
pub(crate) fn cut_u64(left: &mut &[u8]) -> Option<u64> {
    cut(left, 8).map(|bytes| u64_at(bytes, 0))
}

/// The same for a shorter number.
#[inline]
pub(crate) fn cut_u16(left: &mut &[u8]) -> Option<u16> {
    cut(left, 2).map(|bytes| u16_at(bytes, 0))
}
