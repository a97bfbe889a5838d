#include "sync/plan/batch.hpp"

#include <algorithm>

namespace conductor::sync {

std::vector<Range> cut(std::span<const std::size_t> sizes, std::size_t items, std::size_t octets) {
    std::vector<Range> out;
    std::size_t total = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        if (out.empty() || out.back().size() >= items || total + sizes[i] > octets) {
            out.push_back({i, i});
            total = 0;
        }
        out.back().end = i + 1;
        total += sizes[i];
    }
    return out;
}

Bisect::Bisect(std::vector<Range> ranges) : left_{std::move(ranges)} {
    std::ranges::reverse(left_);
}

std::optional<Range> Bisect::next() const {
    if (left_.empty()) return std::nullopt;
    return left_.back();
}

void Bisect::accepted() {
    if (!left_.empty()) left_.pop_back();
}

std::optional<std::size_t> Bisect::refused() {
    if (left_.empty()) return std::nullopt;
    const Range range = left_.back();
    left_.pop_back();
    if (range.size() <= 1) return range.begin;
    const std::size_t middle = range.begin + range.size() / 2;
    left_.push_back({middle, range.end});
    left_.push_back({range.begin, middle});
    return std::nullopt;
}

}  // namespace conductor::sync
