//! Figures for monitoring (any user of the socket): no name of a user or campaign is in them.

use actix_web::{HttpResponse, web};

use crate::grid::Grid;
use crate::metrics::CONTENT_TYPE;

pub(super) async fn show(grid: web::Data<Grid>) -> HttpResponse {
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(grid.metrics.text())
}
