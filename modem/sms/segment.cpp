#include <algorithm>
#include <tuple>

#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/unicode.hpp"
#include "modem/sms/graphemes.hpp"
#include "modem/sms/sms.hpp"
#include "modem/sms/transliterate.hpp"

namespace conductor::sms {
namespace {

using pdu::Alphabet;
using pdu::Gsm7;
using pdu::National;

constexpr int most_octets = 140;    // of TP-UD
constexpr int most_segments = 255;  // of a concatenation element

/// A way to encode one text.
struct Plan {
    Alphabet alphabet = Alphabet::gsm7;
    National national{};
    std::vector<int> costs{};         // units of each code point
    std::vector<std::size_t> cuts{};  // where segments 2, 3, ... begin
    int units = 0, units_per_segment = 0;

    std::size_t segments() const { return cuts.size() + 1; }
};

int header_octets(const SegmentOptions& options, const National& national, bool concatenated) {
    const int elements = (concatenated ? options.wide_ref ? 6 : 5 : 0) + (national.single ? 3 : 0) + (national.locking ? 3 : 0);
    return elements == 0 ? 0 : elements + 1;
}

/// Septets or UTF-16 units that fit behind a header.
int capacity(Alphabet alphabet, int header) {
    return alphabet == Alphabet::gsm7 ? (most_octets - header) * 8 / 7 : (most_octets - header) / 2;
}

/// Cuts greedily, so with the fewest segments; at graphemes where one fits a segment.
void cut(Plan& plan, const std::vector<bool>& starts, bool whole_graphemes) {
    int used = 0;
    std::size_t begin = 0, boundary = 0;
    for (std::size_t i = 0; i < plan.costs.size(); ++i) {
        if (starts[i]) boundary = i;
        while (used + plan.costs[i] > plan.units_per_segment) {
            const std::size_t at = whole_graphemes && boundary > begin ? boundary : i;
            plan.cuts.push_back(at);
            begin = at;
            used = 0;
            for (std::size_t j = at; j < i; ++j) used += plan.costs[j];
        }
        used += plan.costs[i];
    }
}

/// Empty when the alphabet lacks a character; `lacking` gets the first one's index.
std::optional<std::vector<int>> costs_of(std::u32string_view text, Alphabet alphabet, const National& national, std::size_t& lacking) {
    std::vector<int> out;
    out.reserve(text.size());
    const Gsm7 gsm7{national};
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int cost = alphabet == Alphabet::ucs2 ? (text[i] > 0xFFFF ? 2 : 1) : gsm7.cost(text[i]);
        if (cost == 0) {
            lacking = i;
            return std::nullopt;
        }
        out.push_back(cost);
    }
    return out;
}

/// A text with what does not depend on the encoding.
struct Source {
    std::u32string text;
    std::vector<bool> starts;  // graphemes
};

std::optional<Plan> make_plan(const Source& source, const SegmentOptions& options, Alphabet alphabet, National national,
                              std::size_t& lacking) {
    auto costs = costs_of(source.text, alphabet, national, lacking);
    if (!costs) return std::nullopt;
    Plan plan{.alphabet = alphabet, .national = national, .costs = std::move(*costs)};
    for (const int cost : plan.costs) plan.units += cost;
    plan.units_per_segment = capacity(alphabet, header_octets(options, national, false));
    if (plan.units <= plan.units_per_segment) return plan;
    plan.units_per_segment = capacity(alphabet, header_octets(options, national, true));
    cut(plan, source.starts, true);
    if (plan.segments() > static_cast<std::size_t>(options.max_segments)) {
        plan.cuts.clear();
        cut(plan, source.starts, false);
    }
    return plan;
}

/// Octets of all user data, headers included.
int octets_of(const Plan& plan, const SegmentOptions& options) {
    const auto count = static_cast<int>(plan.segments());
    const int payload = plan.alphabet == Alphabet::gsm7 ? (plan.units * 7 + 7) / 8 : plan.units * 2;
    return payload + count * header_octets(options, plan.national, count > 1);
}

/// Every pair of tables that the configuration allows; the default pair first.
std::vector<National> allowed_pairs(const SegmentOptions& options) {
    std::vector<std::uint8_t> singles{0}, lockings{0};
    for (const std::uint8_t language : options.national_tables) {
        if (language == 0) continue;
        if (pdu::single_shift_table(language)) singles.push_back(language);
        if (pdu::locking_table(language)) lockings.push_back(language);
    }
    std::vector<National> out;
    for (const std::uint8_t locking : lockings) {
        for (const std::uint8_t single : singles) out.push_back({.single = single, .locking = locking});
    }
    return out;
}

/// The cheapest plan by segments, then octets, then the more usual encoding; empty when GSM-7 is demanded and lacks a character.
std::optional<Plan> best_plan(const Source& source, const SegmentOptions& options, std::size_t& lacking) {
    std::optional<Plan> best;
    const auto offer = [&](std::optional<Plan> plan) {
        if (!plan) return;
        const auto cost = [&](const Plan& p) { return std::tuple{p.segments(), octets_of(p, options)}; };
        if (!best || cost(*plan) < cost(*best)) best = std::move(plan);
    };
    if (options.encoding != Want::ucs2) {
        std::size_t default_lacks = 0, other = 0;
        offer(make_plan(source, options, Alphabet::gsm7, {}, default_lacks));
        lacking = default_lacks;
        for (const National& pair : allowed_pairs(options)) {
            if (pair != National{}) offer(make_plan(source, options, Alphabet::gsm7, pair, other));
        }
    }
    std::size_t none = 0;
    if (options.encoding != Want::gsm7) offer(make_plan(source, options, Alphabet::ucs2, {}, none));
    return best;
}

std::uint8_t low(std::uint32_t v) {
    return static_cast<std::uint8_t>(v & 0xFF);
}

pdu::Udh header_of(const Plan& plan, const SegmentOptions& options, std::size_t seq) {
    pdu::Udh udh;
    if (plan.segments() > 1 && options.wide_ref) {
        udh.push_back({0x08,
                       {low(options.ref >> 8u), low(options.ref), low(static_cast<std::uint32_t>(plan.segments())),
                        low(static_cast<std::uint32_t>(seq))}});
    } else if (plan.segments() > 1) {
        udh.push_back({0x00, {low(options.ref), low(static_cast<std::uint32_t>(plan.segments())), low(static_cast<std::uint32_t>(seq))}});
    }
    if (plan.national.single) udh.push_back({0x24, {plan.national.single}});
    if (plan.national.locking) udh.push_back({0x25, {plan.national.locking}});
    return udh;
}

Segmented carry_out(const Plan& plan, const Source& source, const SegmentOptions& options) {
    Segmented out;
    out.alphabet = plan.alphabet;
    out.national = plan.national;
    out.text = pdu::to_utf8(source.text);
    out.units = plan.units;
    out.units_per_segment = plan.units_per_segment;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < plan.segments(); ++i) {
        const std::size_t end = i < plan.cuts.size() ? plan.cuts[i] : source.text.size();
        const std::u32string_view part = std::u32string_view{source.text}.substr(begin, end - begin);
        Segment segment{.text = pdu::to_utf8(part), .data = {}};
        segment.data.udh = header_of(plan, options, i + 1);
        segment.data.text = segment.text;
        if (plan.alphabet == Alphabet::ucs2) segment.data.units = pdu::to_utf16(part);
        out.segments.push_back(std::move(segment));
        begin = end;
    }
    return out;
}

Source source_of(std::u32string text) {
    auto starts = grapheme_starts(text);
    return {std::move(text), std::move(starts)};
}

}  // namespace

Result<Segmented> segment(std::string_view text, const SegmentOptions& options) {
    if (text.empty()) return fail(SmsErrc::empty);
    auto points = pdu::from_utf8(text);
    if (!points) return fail(SmsErrc::bad_utf8);
    Source source = source_of(std::move(*points));
    std::size_t lacking = 0;
    std::optional<Plan> plan = best_plan(source, options, lacking);
    std::vector<Replacement> replaced;
    if (options.transliterate && options.encoding != Want::ucs2 && !(plan && plan->alphabet == Alphabet::gsm7 && plan->segments() == 1)) {
        Transliterated near = transliterate(source.text);
        if (!near.replaced.empty() && !near.text.empty()) {
            Source other = source_of(std::move(near.text));
            std::size_t near_lacks = 0;
            std::optional<Plan> shorter = best_plan(other, options, near_lacks);
            if (shorter && (!plan || shorter->segments() < plan->segments())) {
                plan = std::move(shorter);
                source = std::move(other);
                replaced = std::move(near.replaced);
            }
        }
    }
    if (!plan) return fail(SmsErrc::not_encodable, "text", pdu::to_utf8(std::u32string_view{source.text}.substr(0, lacking)).size());
    const auto allowed = static_cast<std::size_t>(std::clamp(options.max_segments, 1, most_segments));
    if (plan->segments() > allowed) {
        return fail(SmsErrc::too_long, std::to_string(plan->segments()) + " > " + std::to_string(allowed));
    }
    Segmented out = carry_out(*plan, source, options);
    out.replaced = std::move(replaced);
    return out;
}

}  // namespace conductor::sms
