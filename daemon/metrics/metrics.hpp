#pragma once
// Counters, gauges and histograms with Prometheus' text exposition (format 0.0.4). No lock: one strand owns a Registry and all that it
// hands out.
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace conductor::metrics {

/// Name and value, in the order in which they are shown. A name is [a-zA-Z_][a-zA-Z0-9_]*; anything else in it becomes '_'.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// Only rises, until a restart.
class Counter {
public:
    void add(double n = 1) {
        if (n > 0) value_ += n;
    }
    double value() const { return value_; }

private:
    double value_ = 0;
};

class Gauge {
public:
    void set(double v) { value_ = v; }
    void add(double n) { value_ += n; }
    double value() const { return value_; }

private:
    double value_ = 0;
};

class Histogram {
public:
    /// Upper bounds, inclusive; they are sorted, and +Inf is added.
    explicit Histogram(std::vector<double> bounds);
    /// NaN is dropped.
    void observe(double v);
    std::uint64_t count() const { return count_; }
    double sum() const { return sum_; }
    /// Estimate of the q-quantile (q in [0, 1]) by straight lines inside the buckets, as histogram_quantile() does; the highest finite
    /// bound where it lies above that, NaN without observations.
    double quantile(double q) const;

    const std::vector<double>& bounds() const { return bounds_; }
    /// Observations per bucket, not summed up; one more than bounds.
    const std::vector<std::uint64_t>& buckets() const { return buckets_; }

private:
    std::vector<double> bounds_;
    std::vector<std::uint64_t> buckets_;
    std::uint64_t count_ = 0;
    double sum_ = 0;
};

/// Seconds, from a commit on a fast disk to a service centre that takes its time.
std::vector<double> latency_bounds();

/// Owns every series. The same name and labels give the same object, whose address stays. A name belongs to one kind and one help text: the
/// first wins, and a second kind under that name gets a series that is counted but not shown.
class Registry {
public:
    static constexpr std::size_t most_series = 1000;  ///< per name; further label sets share one series with the label overflow="true"

    Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
    Histogram& histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds, const Labels& labels = {});

    /// Sorted by name, then by labels: the same state gives the same text.
    std::string expose() const;
    /// Requests that the limits refused, or that named a series of another kind.
    std::uint64_t refused() const { return refused_; }

private:
    enum class Kind : std::uint8_t { counter, gauge, histogram };
    struct Family {
        Kind kind;
        std::string help;
        std::map<std::string, std::size_t> series;  ///< written labels to index in the deque of its kind
    };
    /// Index of the series, made when new with `make`.
    template <class Make>
    std::size_t find(std::string_view name, std::string_view help, Kind kind, const Labels& labels, Make make);

    std::map<std::string, Family> families_;
    std::deque<Counter> counters_;
    std::deque<Gauge> gauges_;
    std::deque<Histogram> histograms_;
    std::uint64_t refused_ = 0;
};

}  // namespace conductor::metrics
