#pragma once
// The files of migrations/ in order, built into the program.
#include <span>
#include <string_view>

namespace conductor::store {

struct Migration {
    std::string_view name, sql;
};
std::span<const Migration> all_migrations();

}  // namespace conductor::store
