#include "daemon/metrics/metrics.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace conductor::metrics;

TEST_CASE("metrics: text exposition") {
    Registry r;
    r.gauge("conductor_queue_messages", "Messages that wait.", {{"class", "marketing"}}).set(12.5);
    r.counter("conductor_sent_total", "Parts that the network took.", {{"modem", "1"}}).add(3);
    r.counter("conductor_sent_total", "Parts that the network took.", {{"modem", "0"}}).add();
    r.counter("conductor_sent_total", "other help is ignored", {{"modem", "1"}}).add(2);
    Histogram& h = r.histogram("conductor_submit_seconds", "From Ctrl-Z to the answer.\nBack\\slash", {1, 0.1, 10}, {{"modem", "0"}});
    for (const double v : {0.05, 0.1, 0.5, 100.0}) h.observe(v);
    CHECK(r.expose() ==
          "# HELP conductor_queue_messages Messages that wait.\n"
          "# TYPE conductor_queue_messages gauge\n"
          "conductor_queue_messages{class=\"marketing\"} 12.5\n"
          "# HELP conductor_sent_total Parts that the network took.\n"
          "# TYPE conductor_sent_total counter\n"
          "conductor_sent_total{modem=\"0\"} 1\n"
          "conductor_sent_total{modem=\"1\"} 5\n"
          "# HELP conductor_submit_seconds From Ctrl-Z to the answer.\\nBack\\\\slash\n"
          "# TYPE conductor_submit_seconds histogram\n"
          "conductor_submit_seconds_bucket{modem=\"0\",le=\"0.1\"} 2\n"
          "conductor_submit_seconds_bucket{modem=\"0\",le=\"1\"} 3\n"
          "conductor_submit_seconds_bucket{modem=\"0\",le=\"10\"} 3\n"
          "conductor_submit_seconds_bucket{modem=\"0\",le=\"+Inf\"} 4\n"
          "conductor_submit_seconds_sum{modem=\"0\"} 100.65\n"
          "conductor_submit_seconds_count{modem=\"0\"} 4\n");
}

TEST_CASE("metrics: names, labels and numbers that would break the format") {
    Registry r;
    r.gauge("1 bad-name", "h", {{"le gume", "a\"b\\c\nd"}}).set(std::nan(""));
    r.gauge("", "h").set(-std::numeric_limits<double>::infinity());
    r.gauge("big", "h").set(1e21);
    const std::string text = r.expose();
    CHECK(text.find("_1_bad_name{le_gume=\"a\\\"b\\\\c\\nd\"} NaN\n") != std::string::npos);
    CHECK(text.find("\n_ -Inf\n") != std::string::npos);
    CHECK(text.find("\nbig 1e+21\n") != std::string::npos);
}

TEST_CASE("metrics: a counter never falls; objects keep their address") {
    Registry r;
    Counter& c = r.counter("c_total", "h");
    c.add(5);
    c.add(-3);
    c.add(std::nan(""));
    CHECK(c.value() == 5);
    for (int i = 0; i < 500; ++i) r.counter("c_total", "h", {{"i", std::to_string(i)}});
    CHECK(&r.counter("c_total", "h") == &c);
    Gauge& other_kind = r.gauge("c_total", "h");
    other_kind.set(9);
    CHECK(r.refused() == 1);
    CHECK(r.expose().find(" 9\n") == std::string::npos);
}

TEST_CASE("metrics: labels without end share one series") {
    Registry r;
    for (std::size_t i = 0; i < Registry::most_series + 50; ++i) r.counter("n_total", "h", {{"number", std::to_string(i)}}).add();
    CHECK(r.refused() == 50);
    CHECK(r.expose().find("n_total{overflow=\"true\"} 50\n") != std::string::npos);
}

TEST_CASE("metrics: quantiles") {
    Histogram h{{1, 2, 4}};
    CHECK(std::isnan(h.quantile(0.5)));
    for (int i = 0; i < 10; ++i) h.observe(0.5);
    for (int i = 0; i < 10; ++i) h.observe(1.5);
    CHECK(h.quantile(0.5) == doctest::Approx(1.0));
    CHECK(h.quantile(0.75) == doctest::Approx(1.5));
    CHECK(h.quantile(0) == doctest::Approx(0.0));
    h.observe(100);
    CHECK(h.quantile(1) == doctest::Approx(4.0));
    h.observe(std::nan(""));
    CHECK(h.count() == 21);
    CHECK(h.sum() == doctest::Approx(120.0));
}
