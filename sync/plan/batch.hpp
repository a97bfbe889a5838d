#pragma once
// Cutting an outbox into requests, and finding the one bad item of a refused request.
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace conductor::sync {

struct Range {
    std::size_t begin = 0, end = 0;  ///< [begin, end)
    std::size_t size() const { return end - begin; }
    bool operator==(const Range&) const = default;
};

inline constexpr std::size_t max_batch_items = 100;
inline constexpr std::size_t max_batch_octets = 256 * 1024;

/// Ranges in order that cover all items, each of at most `items` items and `octets` octets. An item above `octets` is alone.
std::vector<Range> cut(std::span<const std::size_t> sizes, std::size_t items = max_batch_items, std::size_t octets = max_batch_octets);

/// The requests still to be made, oldest item first. A refused range is halved until the bad item is alone.
class Bisect {
public:
    explicit Bisect(std::vector<Range> ranges);
    /// The next range to try; empty when nothing is left.
    std::optional<Range> next() const;
    void accepted();
    /// The range was refused: it is halved. Returns the item's index when it was alone, and forgets it.
    std::optional<std::size_t> refused();

private:
    std::vector<Range> left_;  ///< last is next
};

}  // namespace conductor::sync
