//! Stories of the customer.
