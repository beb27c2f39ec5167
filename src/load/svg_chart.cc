#include "load/svg_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "load/html_page.h"

namespace millrace {

namespace {

constexpr double kWidth = 640;
constexpr double kHeight = 260;
constexpr double kLeft = 56;
constexpr double kRight = 12;
constexpr double kTop = 16;
constexpr double kBottom = 34;
constexpr std::size_t kMostPoints = 400;
constexpr std::size_t kBars = 48;
constexpr double kLeastSeconds = 1e-6;
constexpr double kMostChartSeconds = 1e9;

/// A coordinate: a tenth of a pixel is enough.
std::string at(double value) {
  char text[32];
  static constexpr double kMost = 1e6;
  std::snprintf(text, sizeof text, "%.1f", std::isfinite(value) ? std::clamp(value, -kMost, kMost) : 0);
  return text;
}

struct Plot {
  double most_x = 1;
  double most_y = 1;
  double x(double value) const { return kLeft + (kWidth - kLeft - kRight) * value / most_x; }
  double y(double value) const { return kHeight - kBottom - (kHeight - kTop - kBottom) * value / most_y; }
};

/// 1, 2 or 5 of an order of magnitude, so that some five steps reach `most`.
double nice_step(double most) {
  const double raw = most / 5;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= raw) return factor * power;
  return 10 * power;
}

/// From 0 to `most`, at most a dozen whatever that is.
std::vector<double> ticks(double most) {
  std::vector<double> out;
  const double step = nice_step(most);
  for (int i = 0; i < 12 && i * step <= most * 1.0001; ++i) out.push_back(i * step);
  return out;
}

/// What an axis reaches to: reports may hold any number.
double reach(double most) {
  static constexpr double kMost = 1e30;
  return most > 0 ? std::min(most, kMost) : 1;
}

std::string text_at(double x, double y, const char* anchor, const std::string& text) {
  return "<text x=\"" + at(x) + "\" y=\"" + at(y) + "\" text-anchor=\"" + anchor + "\">" + escaped(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const char* kind) {
  return "<line class=\"" + std::string(kind) + "\" x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" + at(x2) +
         "\" y2=\"" + at(y2) + "\"/>\n";
}

std::string begin_figure(const std::string& title, const std::string& unit, double height = kHeight) {
  std::string out = "<figure><figcaption>" + escaped(title);
  if (!unit.empty()) out += " (" + escaped(unit) + ")";
  return out + "</figcaption>\n<svg viewBox=\"0 0 " + at(kWidth) + " " + at(height) + "\" role=\"img\" aria-label=\"" +
         escaped(title) + "\">\n";
}

std::string grid_of_y(const Plot& plot) {
  std::string out;
  for (const double value : ticks(plot.most_y)) {
    out += line(kLeft, plot.y(value), kWidth - kRight, plot.y(value), "grid");
    out += text_at(kLeft - 6, plot.y(value) + 4, "end", number_text(value));
  }
  return out;
}

std::vector<std::optional<double>> thinned(const ChartSeries& series, bool keeps_peaks, std::size_t group) {
  std::vector<std::optional<double>> out;
  for (std::size_t i = 0; i < series.values.size(); i += group) {
    double sum = 0;
    double most = 0;
    double count = 0;
    for (std::size_t j = i; j < std::min(i + group, series.values.size()); ++j) {
      if (!series.values[j]) continue;
      sum += *series.values[j];
      most = std::max(most, *series.values[j]);
      ++count;
    }
    out.push_back(count == 0 ? std::nullopt : std::optional<double>(keeps_peaks ? most : sum / count));
  }
  return out;
}

std::string polyline(const std::vector<std::optional<double>>& values, const Plot& plot, double group,
                     const char* kind) {
  std::string out;
  std::string points;
  const auto end = [&] {
    if (!points.empty()) out += "<polyline class=\"" + std::string(kind) + "\" points=\"" + points + "\"/>\n";
    points.clear();
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) {
      end();
      continue;
    }
    // A second's value stands in its middle.
    points += at(plot.x((static_cast<double>(i) + 0.5) * group)) + "," + at(plot.y(*values[i])) + " ";
  }
  end();
  return out;
}

}  // namespace

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, std::fabs(value) >= 1000 && std::fabs(value) < 1e9 ? "%.0f" : "%.3g", value);
  return text;
}

std::string time_text(double seconds) {
  if (seconds < 1e-3) return number_text(seconds * 1e6) + " us";
  if (seconds < 1) return number_text(seconds * 1e3) + " ms";
  return number_text(seconds) + " s";
}

std::string svg_lines(const LineChart& chart) {
  static constexpr std::array kKinds{"one", "two two-line"};
  std::size_t length = 0;
  for (const ChartSeries& one : chart.series) length = std::max(length, one.values.size());
  if (length == 0) return {};
  const std::size_t group = (length + kMostPoints - 1) / kMostPoints;
  std::vector<std::vector<std::optional<double>>> all;
  Plot plot;
  plot.most_x = static_cast<double>(length);
  plot.most_y = 0;
  for (const ChartSeries& one : chart.series) {
    all.push_back(thinned(one, chart.keeps_peaks, group));
    for (const auto& value : all.back()) plot.most_y = std::max(plot.most_y, value.value_or(0));
  }
  plot.most_y = reach(plot.most_y);
  std::string out = begin_figure(chart.title, chart.unit) + grid_of_y(plot);
  for (const double second : ticks(plot.most_x))
    out += text_at(plot.x(second), kHeight - kBottom + 16, "middle", number_text(second) + " s");
  for (std::size_t i = 0; i < std::min(all.size(), kKinds.size()); ++i) {
    out += polyline(all[i], plot, static_cast<double>(group), kKinds[i]);
    if (all.size() == 1) continue;
    const double x = kLeft + 140 * static_cast<double>(i);
    out += line(x, kHeight - 6, x + 24, kHeight - 6, kKinds[i]) +
           text_at(x + 30, kHeight - 2, "start", chart.series[i].name);
  }
  return out + "</svg></figure>\n";
}

std::string svg_distribution(const Distribution& distribution) {
  double low = 0;
  double high = 0;
  for (const Distribution::Cell& cell : distribution.cells) {
    if (!(cell.count > 0)) continue;
    const double seconds = std::clamp(cell.seconds, kLeastSeconds, kMostChartSeconds);
    low = low == 0 ? seconds : std::min(low, seconds);
    high = std::max(high, seconds);
  }
  if (low == 0) return {};
  const double first = std::log10(low) - 0.05;
  const double last = std::max(std::log10(high) + 0.05, first + 0.3);
  std::array<double, kBars> bars{};
  const auto share = [&](double seconds) {
    return std::clamp((std::log10(std::clamp(seconds, kLeastSeconds, kMostChartSeconds)) - first) / (last - first), 0.0,
                      1.0);
  };
  for (const Distribution::Cell& cell : distribution.cells) {
    if (!(cell.count > 0)) continue;
    bars[std::min(kBars - 1, static_cast<std::size_t>(share(cell.seconds) * kBars))] += cell.count;
  }
  Plot plot;
  plot.most_x = 1;
  plot.most_y = reach(*std::max_element(bars.begin(), bars.end()));
  std::string out = begin_figure(distribution.title, "transfers") + grid_of_y(plot);
  const double width = (kWidth - kLeft - kRight) / kBars;
  for (std::size_t i = 0; i < kBars; ++i) {
    if (bars[i] == 0) continue;
    const double top = plot.y(bars[i]);
    out += "<rect class=\"one\" x=\"" + at(plot.x(static_cast<double>(i) / kBars) + 0.5) + "\" y=\"" + at(top) +
           "\" width=\"" + at(width - 1) + "\" height=\"" + at(plot.y(0) - top) + "\"/>\n";
  }
  for (double power = std::floor(first); power <= last; ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double seconds = factor * std::pow(10, power);
      if (std::log10(seconds) < first || std::log10(seconds) > last) continue;
      out += text_at(plot.x(share(seconds)), kHeight - kBottom + 16, "middle", time_text(seconds));
    }
  }
  double lift = 0;
  for (const Distribution::Mark& mark : distribution.marks) {
    const double x = plot.x(share(mark.seconds));
    out += line(x, kTop, x, plot.y(0), "mark") + text_at(x + 3, kTop + 8 + lift, "start", mark.name);
    lift += 12;  // close ones do not cover each other
  }
  return out + "</svg></figure>\n";
}

std::string svg_groups(const std::string& title, const std::vector<double>& first, const std::vector<double>& second) {
  static constexpr double kRow = 24;
  static constexpr double kTall = 78;
  Plot plot;
  plot.most_x = 0;
  for (const auto* group : {&first, &second})
    for (const double value : *group) plot.most_x = std::max(plot.most_x, value);
  plot.most_x = reach(plot.most_x);
  std::string out = begin_figure(title, "each run a dot", kTall);
  for (const double value : ticks(plot.most_x))
    out += line(plot.x(value), 4, plot.x(value), kTall - 20, "grid") +
           text_at(plot.x(value), kTall - 6, "middle", number_text(value));
  double y = 18;
  for (const auto* group : {&first, &second}) {
    const bool is_first = group == &first;
    out += text_at(kLeft - 6, y + 4, "end", is_first ? "first" : "second");
    for (const double value : *group)
      out += "<circle class=\"" + std::string(is_first ? "one" : "two") + "\" cx=\"" + at(plot.x(value)) + "\" cy=\"" +
             at(y) + "\" r=\"4\" fill-opacity=\"0.6\"/>\n";
    y += kRow;
  }
  return out + "</svg></figure>\n";
}

}  // namespace millrace
