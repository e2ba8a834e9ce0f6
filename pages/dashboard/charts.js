// <dashboard-chart>: a chart of Chart.js, beside a table with the same numbers.

const COLORS = {
    completed: '--chart-good',
    open: '--chart-open',
    expired: '--chart-plain',
    failed: '--chart-bad',
    conversion: '--chart-line',
};

class DashboardChart extends HTMLElement {
    /** {kind: 'bar' | 'line', labels, series: [{key, label, values}], name, format} */
    set data(data) {
        const changed = JSON.stringify(data) !== JSON.stringify(this.given);
        this.given = data;
        if (changed && this.isConnected) this.draw();
    }

    connectedCallback() {
        this.dark = matchMedia('(prefers-color-scheme: dark)');
        this.redraw = () => this.draw();
        this.dark.addEventListener('change', this.redraw);
        addEventListener('theme', this.redraw);
        if (this.given) this.draw();
    }

    disconnectedCallback() {
        this.dark.removeEventListener('change', this.redraw);
        removeEventListener('theme', this.redraw);
        this.chart?.destroy();
        this.chart = undefined;
    }

    draw() {
        this.chart?.destroy();
        const canvas = document.createElement('canvas');
        canvas.setAttribute('role', 'img');
        canvas.setAttribute('aria-label', this.given.name);
        this.replaceChildren(canvas);
        this.chart = new window.Chart(canvas, this.configuration());
    }

    configuration() {
        const style = getComputedStyle(this);
        const color = (name) => style.getPropertyValue(name).trim();
        const { kind, labels, series, format = String, ticks = format } = this.given;
        const text = { color: color('--quiet'), font: { family: style.fontFamily, size: 12 } };
        const share = kind === 'line';
        return {
            type: kind,
            data: {
                labels,
                datasets: series.map(({ key, label, values }) => ({
                    label,
                    data: values,
                    backgroundColor: color(COLORS[key]),
                    borderColor: color(COLORS[key]),
                    borderWidth: share ? 2 : 0,
                    borderRadius: 2,
                    pointRadius: 3,
                    maxBarThickness: 36,
                })),
            },
            options: {
                animation: false,
                responsive: true,
                maintainAspectRatio: false,
                interaction: { mode: 'index', intersect: false },
                plugins: {
                    legend: { display: series.length > 1, position: 'bottom', labels: { ...text, boxWidth: 10, boxHeight: 10 } },
                    tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${format(item.parsed.y)}` } },
                },
                scales: {
                    x: {
                        stacked: !share,
                        grid: { display: false },
                        border: { display: false },
                        ticks: { ...text, maxRotation: 0, autoSkipPadding: 12 },
                    },
                    y: {
                        stacked: !share,
                        beginAtZero: true,
                        max: share ? 1 : undefined,
                        border: { display: false },
                        grid: { color: color('--line') },
                        ticks: { ...text, maxTicksLimit: 5, callback: (value) => ticks(value) },
                    },
                },
            },
        };
    }
}

customElements.define('dashboard-chart', DashboardChart);
