//! Listings that leave rows out, or show them twice.

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::dice::Dice;

/// Leaves out each row with a chance of one half, and at least one.
pub(super) fn drop_rows(response: Response<Bytes>, draw: u64) -> Response<Bytes> {
    change(response, |items| {
        let mut dice = Dice::new(draw);
        let count = items.len();
        let surely = pick(&mut dice, count);
        let mut place = 0;
        items.retain(|_| {
            place += 1;
            place - 1 != surely && dice.coin()
        });
    })
}

/// Shows each row twice with a chance of one half, and at least one.
pub(super) fn repeat_rows(response: Response<Bytes>, draw: u64) -> Response<Bytes> {
    change(response, |items| {
        let mut dice = Dice::new(draw);
        let surely = pick(&mut dice, items.len());
        let repeated = std::mem::take(items).into_iter().enumerate().flat_map(|(place, item)| {
            let again = (place == surely || dice.coin()).then(|| item.clone());
            std::iter::once(item).chain(again)
        });
        *items = repeated.collect();
    })
}

fn pick(dice: &mut Dice, count: usize) -> usize {
    usize::try_from(dice.between(0, count.saturating_sub(1) as u64)).unwrap_or(0)
}

/// Edits the rows of a good page, and its total by as many. Anything else stays what it is.
fn change(response: Response<Bytes>, edit: impl FnOnce(&mut Vec<Value>)) -> Response<Bytes> {
    let Ok(mut page) = serde_json::from_slice::<Value>(response.body()) else { return response };
    let Some(items) = page.get_mut("items").and_then(Value::as_array_mut) else { return response };
    let before = items.len() as u64;
    edit(items);
    let after = items.len() as u64;
    let total = page.get("total").and_then(Value::as_u64).unwrap_or(before);
    if let Some(place) = page.get_mut("total") {
        *place = (total + after).saturating_sub(before).into();
    }
    response.map(|_| page.to_string().into())
}
