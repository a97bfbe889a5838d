#pragma once
// Text that PostgreSQL can store: one bad message must not kill a batch (SUPABASE.md 2.2).
#include <string>
#include <string_view>

namespace conductor::sync {

/// A JSON text in which every string can become PostgreSQL text: the escape \u0000 and raw NULs are dropped, escapes of unpaired
/// surrogates and octets that are no UTF-8 become U+FFFD. Nothing else changes; whether it is JSON is not checked.
std::string clean_json(std::string_view json);

/// The same for plain UTF-8 text.
std::string clean_text(std::string_view text);

}  // namespace conductor::sync
