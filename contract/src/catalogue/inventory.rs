//! Stock: products, lots, the ledger of movements and the alerts it raises.

use super::{
    Default, Facet, Field, Lifecycle, PRODUCT_CLASSES, PatientLink, Purpose, Roles, Scope, Table, TableId,
};
use crate::value::Column;

const GROUP: &str = "Inventory Management";
const UNITS: &[&str] = &["ml", "units", "mg", "g", "piece", "vial", "syringe", "ampoule", "session"];
const MOVEMENTS: &[&str] = &["purchase", "usage", "adjustment", "waste", "transfer", "return"];
const ALERTS: &[&str] = &["low_stock", "expiring_soon", "expired", "reorder_needed"];
const QUANTITY: Column = Column::Numeric(10, 3);
const MONEY: Column = Column::Numeric(10, 2);

/// Products. The quantity is never written: it is the sum of the ledger.
pub static INVENTORY_PRODUCTS: Table = Table {
    id: TableId(13),
    name: "inventory_products",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("product", Purpose::Operation, Roles::AM)],
    fields: &[
        Field::text("name").required().about("Name."),
        Field::text("description").about("Description."),
        Field::text("category").required().about("Category."),
        Field::text("sku").about("Stock-keeping unit, unique in the clinic."),
        Field::text("barcode").about("Barcode."),
        Field::text("manufacturer").about("Manufacturer."),
        Field::text("anvisa_registration").about("ANVISA registration; its form only warns."),
        Field::choice("unit_type", UNITS).required().about("Unit of every quantity."),
        Field::register("unit_size", QUANTITY).required().about("Size of one unit."),
        Field::derived("current_quantity", QUANTITY).default(Default::Int(0)).about("Sum of the ledger."),
        Field::register("min_quantity", QUANTITY).default(Default::Int(0)).about("Below it, stock is low."),
        Field::register("max_quantity", QUANTITY).about("Most to keep."),
        Field::register("reorder_point", QUANTITY).about("At or below it, reorder."),
        Field::derived("cost_per_unit", MONEY).about("Cost of a unit, BRL."),
        Field::derived("selling_price_per_unit", MONEY).about("Price of a unit, BRL."),
        Field::register("expiry_date", Column::Date).about("Expiry, where lots are not kept."),
        Field::text("batch_number").about("Batch, where lots are not kept."),
        Field::text("storage_requirements").about("How to store it."),
        Field::register("requires_refrigeration", Column::Bool)
            .default(Default::Bool(false))
            .about("Keep cold."),
        Field::register("is_controlled_substance", Column::Bool)
            .default(Default::Bool(false))
            .about("Controlled substance."),
        Field::register("is_active", Column::Bool).default(Default::Bool(true)).about("In use."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When created."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
        Field::derived("duplicate_of", Column::Uuid).about("Live product that already carries this sku."),
        Field::choice("product_class", PRODUCT_CLASSES)
            .about("What it is to the rules on scope of practice."),
    ],
    about: "Products the clinic keeps.",
};

/// Lots: one delivery with one expiry. An opened lot has a life of its own.
pub static INVENTORY_LOTS: Table = Table {
    id: TableId(14),
    name: "inventory_lots",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("lot", Purpose::Operation, Roles::AMP)],
    fields: &[
        Field::reference("product_id", "inventory_products").required().fixed().about("Product."),
        Field::text("lot_number").required().about("Lot number on the package."),
        Field::register("expiry_date", Column::Date).about("Expiry."),
        Field::register("opened_at", Column::Instant).about("When first opened."),
        Field::text("site").about("Where it is kept."),
        Field::register("received_quantity", QUANTITY).about("Quantity received."),
        Field::register("created_at", Column::Instant)
            .fixed()
            .default(Default::CapturedAt)
            .about("When registered."),
        Field::derived("updated_at", Column::Instant).about("When last changed."),
    ],
    about: "Lots of a product.",
};

/// Movements of stock. Below zero is accepted: the syringe was used, whatever the ledger says.
pub static INVENTORY_TRANSACTIONS: Table = Table {
    id: TableId(15),
    name: "inventory_transactions",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Ledger,
    patient: PatientLink::None,
    facets: &[Facet::new("movement", Purpose::Operation, Roles::AMPS)],
    fields: &[
        Field::reference("product_id", "inventory_products").required().fixed().about("Product."),
        Field::choice("transaction_type", MOVEMENTS).required().fixed().about("Kind of movement."),
        Field::register("quantity", QUANTITY)
            .required()
            .fixed()
            .about("Quantity; only adjustments and transfers carry a sign."),
        Field::register("unit_cost", MONEY).fixed().about("Cost of a unit, BRL."),
        Field::register("transaction_date", Column::Instant)
            .required()
            .fixed()
            .default(Default::CapturedAt)
            .about("When it moved."),
        Field::reference("performed_by", "professionals").fixed().about("Who moved it."),
        Field::text("notes").fixed().about("Notes."),
        Field::reference("appointment_id", "appointments").fixed().about("Appointment it was used in."),
        Field::text("batch_number").fixed().about("Batch, where lots are not kept."),
        Field::register("expiry_date", Column::Date).fixed().about("Expiry, where lots are not kept."),
        Field::reference("lot_id", "inventory_lots").fixed().about("Lot."),
    ],
    about: "The ledger of stock movements.",
};

/// Alerts. The server raises them, people resolve them.
pub static INVENTORY_ALERTS: Table = Table {
    id: TableId(16),
    name: "inventory_alerts",
    group: GROUP,
    scope: Scope::Clinic,
    lifecycle: Lifecycle::Editable,
    patient: PatientLink::None,
    facets: &[Facet::new("resolution", Purpose::Operation, Roles::AMP)],
    fields: &[
        Field::reference("product_id", "inventory_products").server().required().about("Product."),
        Field::choice("alert_type", ALERTS).server().required().about("What is wrong."),
        Field::choice("severity", &["low", "medium", "high", "critical"])
            .server()
            .required()
            .about("How bad."),
        Field::derived("message", Column::Text).required().about("In plain language."),
        Field::register("is_resolved", Column::Bool).default(Default::Bool(false)).about("Dealt with."),
        Field::register("resolved_at", Column::Instant).about("When dealt with."),
        Field::reference("resolved_by", "professionals").about("Who dealt with it."),
        Field::derived("created_at", Column::Instant).about("When raised."),
    ],
    about: "Stock that needs attention.",
};
