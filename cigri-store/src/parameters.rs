//! Parameter texts by task index.

use cigri_core::language::{Sweep, labelled};
use diesel::prelude::*;
use serde::Deserialize;

use crate::connection::Database;
use crate::schema::{campaign, parameter_chunk};
use crate::{CHUNK, Result, Store, StoreError, addition};

/// Texts of the tasks at `indices`, in that order. Neighbours are cheapest: each chunk is read once in a row. A step,
/// whose index is negative, has none.
pub(crate) fn texts(connection: &mut Database, id: i64, indices: &[i64]) -> Result<Vec<String>> {
    let additions = addition::visible(connection, id)?;
    let Some((end, _)) = additions.first().copied() else { return own_texts(connection, id, indices) };
    let own: Vec<i64> = indices.iter().copied().filter(|index| *index < end).collect();
    let places: Vec<i64> = indices.iter().filter_map(|index| addition::place(&additions, *index)).collect();
    let mut own = own_texts(connection, id, &own)?.into_iter();
    let mut added = stored_texts(connection, id, &places)?.into_iter();
    let in_order = indices.iter().filter_map(|index| if *index < end { own.next() } else { added.next() });
    Ok(in_order.collect())
}

/// Texts of tasks that the campaign was made with, or that follow them.
fn own_texts(connection: &mut Database, id: i64, indices: &[i64]) -> Result<Vec<String>> {
    let counted: bool = campaign::table.find(id).select(campaign::counted).first(connection)?;
    if counted {
        return computed(sweep(connection, id)?.as_ref(), id, indices);
    }
    stored_texts(connection, id, indices)
}

/// Texts by their places in the chunks.
fn stored_texts(connection: &mut Database, id: i64, indices: &[i64]) -> Result<Vec<String>> {
    let mut chunk: Option<(i64, Vec<String>)> = None;
    let mut texts = Vec::with_capacity(indices.len());
    for index in indices {
        if *index < 0 {
            texts.push(String::new());
            continue;
        }
        let first = index - index % CHUNK as i64;
        let lines = match chunk.take() {
            Some((at, lines)) if at == first => lines,
            _ => lines_at(connection, id, first)?,
        };
        let text = lines.get((index - first) as usize).cloned();
        texts.push(text.ok_or_else(|| StoreError::Missing(format!("parameter {index} of campaign {id}")))?);
        chunk = Some((first, lines));
    }
    Ok(texts)
}

/// The same with the names of the values, where they have names: `alpha=0.1 n=4`.
pub(crate) fn shown(connection: &mut Database, id: i64, indices: &[i64]) -> Result<Vec<String>> {
    let texts = texts(connection, id, indices)?;
    let names = sweep(connection, id)?.map(|sweep| sweep.names).unwrap_or_default();
    Ok(texts.into_iter().map(|text| labelled(&names, &text)).collect())
}

/// Their own indices, or the points of a sweep.
fn computed(sweep: Option<&Sweep>, id: i64, indices: &[i64]) -> Result<Vec<String>> {
    let text = |index: &i64| match sweep {
        _ if *index < 0 => Ok(String::new()),
        None => Ok(index.to_string()),
        Some(sweep) => {
            let text = u64::try_from(*index).ok().and_then(|index| sweep.text(index));
            text.ok_or_else(|| StoreError::Missing(format!("parameter {index} of campaign {id}")))
        }
    };
    indices.iter().map(text).collect()
}

/// The part of a stored campaign that this file is about.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    sweep: Option<Sweep>,
}

fn sweep(connection: &mut Database, id: i64) -> Result<Option<Sweep>> {
    let spec: String = campaign::table.find(id).select(campaign::spec).first(connection)?;
    let named: Named = serde_json::from_str(&spec).map_err(StoreError::corrupt)?;
    Ok(named.sweep)
}

fn lines_at(connection: &mut Database, id: i64, first: i64) -> Result<Vec<String>> {
    let body: Option<String> =
        parameter_chunk::table.find((id, first)).select(parameter_chunk::body).first(connection).optional()?;
    Ok(body.map(|body| body.split('\n').map(str::to_owned).collect()).unwrap_or_default())
}

impl Store {
    /// Parameters `offset..offset + limit` of a campaign, as far as there are any.
    pub fn parameters(&self, id: i64, offset: i64, limit: i64) -> Result<Vec<String>> {
        self.read(|connection| {
            let count: i64 = campaign::table.find(id).select(campaign::task_count).first(connection)?;
            let end = offset.saturating_add(limit).min(count);
            texts(connection, id, &(offset.max(0)..end).collect::<Vec<_>>())
        })
    }
}
