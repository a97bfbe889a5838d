#include "daemon/metrics/metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace conductor::metrics {
namespace {

std::string clean_name(std::string_view name, bool colon) {
    std::string out;
    for (const char c : name) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
        const bool digit = c >= '0' && c <= '9';
        if (digit && out.empty()) out += '_';
        out += letter || digit ? c : '_';
    }
    return out.empty() ? "_" : out;
}

/// Backslash and line feed, and in label values the quote.
std::string escaped(std::string_view text, bool quote) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && quote)
            out += "\\\"";
        else
            out += c;
    }
    return out;
}

std::string number(double v) {
    if (std::isnan(v)) return "NaN";
    if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
    std::array<char, 40> out{};
    const auto [end, ec] = std::to_chars(out.data(), out.data() + out.size(), v);
    return {out.data(), ec == std::errc{} ? end : out.data()};
}

/// `a="1",b="2"`, without the braces.
std::string written(const Labels& labels) {
    std::string out;
    for (const auto& [name, value] : labels) {
        if (!out.empty()) out += ',';
        out += clean_name(name, false) + "=\"" + escaped(value, true) + "\"";
    }
    return out;
}

std::string line(std::string_view name, const std::string& labels, const std::string& value) {
    std::string out{name};
    if (!labels.empty()) out += "{" + labels + "}";
    return out + " " + value + "\n";
}

std::string with(const std::string& labels, const std::string& more) {
    return labels.empty() ? more : labels + "," + more;
}

std::string lines_of(const std::string& name, const std::string& labels, const Histogram& h) {
    std::string out;
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < h.buckets().size(); ++i) {
        below += h.buckets()[i];
        const std::string bound = i < h.bounds().size() ? number(h.bounds()[i]) : "+Inf";
        out += line(name + "_bucket", with(labels, "le=\"" + bound + "\""), std::to_string(below));
    }
    out += line(name + "_sum", labels, number(h.sum()));
    return out + line(name + "_count", labels, std::to_string(h.count()));
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds) : bounds_{std::move(bounds)} {
    std::erase_if(bounds_, [](double b) { return !std::isfinite(b); });
    std::sort(bounds_.begin(), bounds_.end());
    bounds_.erase(std::unique(bounds_.begin(), bounds_.end()), bounds_.end());
    buckets_.resize(bounds_.size() + 1);
}

void Histogram::observe(double v) {
    if (std::isnan(v)) return;
    const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), v) - bounds_.begin();
    ++buckets_[static_cast<std::size_t>(bucket)];
    ++count_;
    sum_ += v;
}

double Histogram::quantile(double q) const {
    if (count_ == 0 || std::isnan(q)) return std::numeric_limits<double>::quiet_NaN();
    const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
    double below = 0;
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
        const auto here = static_cast<double>(buckets_[i]);
        if (here > 0 && below + here >= rank) {
            const double low = i > 0 ? bounds_[i - 1] : std::min(0.0, bounds_[0]);
            return low + (bounds_[i] - low) * (rank - below) / here;
        }
        below += here;
    }
    return bounds_.empty() ? std::numeric_limits<double>::quiet_NaN() : bounds_.back();
}

std::vector<double> latency_bounds() {
    return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};
}

template <class Make>
std::size_t Registry::find(std::string_view name, std::string_view help, Kind kind, const Labels& labels, Make make) {
    Family& family = families_.try_emplace(clean_name(name, true), Family{kind, std::string{help}, {}}).first->second;
    if (family.kind != kind) {
        ++refused_;
        return make();
    }
    std::string key = written(labels);
    if (const auto known = family.series.find(key); known != family.series.end()) return known->second;
    if (family.series.size() >= most_series) {
        ++refused_;
        key = "overflow=\"true\"";
        if (const auto known = family.series.find(key); known != family.series.end()) return known->second;
    }
    const std::size_t index = make();
    family.series.emplace(std::move(key), index);
    return index;
}

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
    const auto make = [this] { return counters_.emplace_back(), counters_.size() - 1; };
    return counters_[find(name, help, Kind::counter, labels, make)];
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
    const auto make = [this] { return gauges_.emplace_back(), gauges_.size() - 1; };
    return gauges_[find(name, help, Kind::gauge, labels, make)];
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds, const Labels& labels) {
    const auto make = [&] { return histograms_.emplace_back(bounds), histograms_.size() - 1; };
    return histograms_[find(name, help, Kind::histogram, labels, make)];
}

std::string Registry::expose() const {
    constexpr std::string_view kinds[] = {"counter", "gauge", "histogram"};
    std::string out;
    for (const auto& [name, family] : families_) {
        out += "# HELP " + name + " " + escaped(family.help, false) + "\n";
        out += "# TYPE " + name + " " + std::string{kinds[static_cast<std::size_t>(family.kind)]} + "\n";
        for (const auto& [labels, index] : family.series) switch (family.kind) {
                case Kind::counter: out += line(name, labels, number(counters_[index].value())); break;
                case Kind::gauge: out += line(name, labels, number(gauges_[index].value())); break;
                case Kind::histogram: out += lines_of(name, labels, histograms_[index]); break;
            }
    }
    return out;
}

}  // namespace conductor::metrics
