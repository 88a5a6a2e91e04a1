//! How the integers of `ambar-base` look inside a document: as plain dag-cbor integers
//! in their smallest unit.

macro_rules! integer {
    ($module:ident, $type:ident, $inner:ty, $unit:literal) => {
        #[doc = $unit]
        pub mod $module {
            use ambar_base::$type;
            use serde::{Deserialize, Deserializer, Serializer};

            pub fn serialize<S: Serializer>(value: &$type, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_u64(value.0.into())
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                <$inner>::deserialize(from).map($type)
            }
        }
    };
}

integer!(moment, Moment, u64, "Milliseconds since 1970.");
integer!(price, Price, u64, "Nano-credits.");
integer!(weight, Weight, u32, "Billionths.");
