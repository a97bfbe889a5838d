#pragma once
// Tables of tzdata names for places.cpp.
#include <span>
#include <string_view>

namespace conductor::dispatch {

struct ZoneRow {
    std::string_view key;
    std::string_view zones;  ///< blank-separated
};
std::span<const ZoneRow> state_zones();   ///< by state or province
std::span<const ZoneRow> area_zones();    ///< by area code, where it is narrower or wider than its state
std::span<const ZoneRow> region_zones();  ///< by ISO 3166 alpha-2: one zone, or those at the eastern and western end

}  // namespace conductor::dispatch
