#pragma once
// Strong ids, so that two of them never swap.
#include <compare>
#include <cstdint>
#include <functional>

namespace conductor {

template <class Tag>
struct Id {
    std::int64_t value = 0;
    constexpr auto operator<=>(const Id&) const = default;
    constexpr explicit operator bool() const { return value != 0; }
};

using MessageId = Id<struct MessageTag>;      ///< messages.id of the local database
using ScheduledId = Id<struct ScheduledTag>;  ///< scheduled_messages.id of Supabase
using ModemIndex = int;                       ///< [[modem]] index; -1 = none

}  // namespace conductor

template <class Tag>
struct std::hash<conductor::Id<Tag>> {
    std::size_t operator()(const conductor::Id<Tag>& id) const noexcept { return std::hash<std::int64_t>{}(id.value); }
};
