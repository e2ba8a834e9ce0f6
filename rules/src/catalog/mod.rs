//! What is sold: products and their prices, coupons and discounts, and the lines of sessions.

pub mod address;
pub mod cart;
pub mod coupon;
pub mod discount;
pub mod line;
pub mod price;
pub mod product;
pub mod subscription;
