#pragma once
// A message as JSON (CONTRACT part 4), the one form of it that the API, the events and the CLI see.
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/core/message.hpp"

namespace conductor::api {

/// Appends the object, fields in the contract's order; made without a tree, since lists hold up to 1000 of them.
void append_json(std::string& out, const Message& message);
/// The same as a tree, to be put into a larger document.
nlohmann::json to_json(const Message& message);

}  // namespace conductor::api
