#include "daemon/service/context.hpp"

namespace conductor::service {

std::string format_uuid(std::uint64_t high, std::uint64_t low, int version) {
    high = (high & ~0xf000ULL) | (static_cast<std::uint64_t>(version) << 12);
    low = (low & 0x3fff'ffff'ffff'ffffULL) | 0x8000'0000'0000'0000ULL;
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xffff, low >> 48,
                       low & 0xffff'ffff'ffffULL);
}

std::optional<WallTime> Context::wall() const {
    const auto now = clock.wall();
    if (now) records.sure(clock.now(), *now);
    return now;
}

std::string Context::uuid() {
    const auto high = rng();
    return format_uuid(high, rng(), 4);
}

}  // namespace conductor::service
