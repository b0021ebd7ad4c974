//! A picture continued beyond its edge: each round is a drawing that begins with the edge, and at the end the whole is
//! decoded at once (docs/method.md, "Extrapolation").

use super::{Host, Outcome, Session, SessionError};
use crate::decode::DeviceError;
use crate::decode::canvas::{Direction, Panorama};
use crate::decode::sampling::read_floats;
use crate::load::Models;
use crate::picture::Rgb;
use crate::settings::Settings;

impl Session {
    /// One round: draws what lies beyond the panorama's edge. `offset` tokens fewer than half a picture are gone on from.
    /// `None` where it was stopped; [`Session::resume`] then ends the drawing, but not the round.
    ///
    /// # Errors
    /// As [`Session::draw`]; a side that cannot grow, an offset that leaves nothing to go on from.
    pub async fn extend<H: Host>(
        &mut self,
        panorama: &Panorama,
        direction: Direction,
        offset: usize,
        settings: Settings,
        host: &mut H,
    ) -> Result<Option<Panorama>, SessionError> {
        let grid = self.shape().grid;
        let kept = Panorama::kept(grid, offset)?;
        let canvas = panorama.canvas(grid, kept, direction)?;
        if self.draw_from(settings, canvas, host).await? == Outcome::Cancelled {
            return Ok(None);
        }
        let whole = self.drawing.as_ref().and_then(|drawing| drawing.whole.as_ref());
        let drawn = whole.map(|whole| whole.tokens.as_slice()).ok_or(SessionError::NothingToResume)?;
        Ok(Some(panorama.extended(grid, kept, direction, drawn)?))
    }
}

/// A panorama's pixels, decoded at once.
///
/// # Errors
/// The device failed.
pub async fn picture_of(models: &Models, panorama: &Panorama) -> Result<Rgb, DeviceError> {
    let Panorama { rows, columns, codes } = panorama;
    let pixels = models.image_tokenizer.decode_shaped(codes, [*rows, *columns]);
    let [_, _, height, width] = pixels.dims();
    Ok(Rgb::from_signed_sized(&read_floats(pixels).await?, [width, height]))
}
