//! Products of matrices, a small tile at a time: what superposition and coherence come down to.
//!
//! Both operands lie in panels, step by step along the inner dimension: `ROWS` numbers of the left
//! one beside `COLUMNS` of the right one, so that a tile of the product stays in registers.

use crate::dispatch::Arithmetic;

/// The rows of a tile.
pub(crate) const ROWS: usize = 6;

/// The columns of a tile.
pub(crate) const COLUMNS: usize = 8;

/// A tile of the product.
pub(crate) type Tile = [[f64; COLUMNS]; ROWS];

/// The product of two panels.
#[inline(always)]
pub(crate) fn product<A: Arithmetic>(left: &[f64], right: &[f64]) -> Tile {
    let mut tile = [[0.0; COLUMNS]; ROWS];
    for (left, right) in left.chunks_exact(ROWS).zip(right.chunks_exact(COLUMNS)) {
        let right: [f64; COLUMNS] = std::array::from_fn(|column| right[column]);
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                tile[row][column] = A::mul_add(left[row], right[column], tile[row][column]);
            }
        }
    }
    tile
}
