/* global document, localStorage, location, window */
// Light or dark, and code shown or hidden: both are remembered where the browser allows it.
(function () {
  'use strict';
  var root = document.documentElement;
  function remembered(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  }
  function remember(name, value) {
    try {
      localStorage.setItem(name, value);
    } catch {
      // private windows have no memory
    }
  }
  var theme = remembered('netssm-theme');
  if (theme) root.setAttribute('data-theme', theme);
  function isDark() {
    var chosen = root.getAttribute('data-theme');
    return chosen ? chosen === 'dark' : window.matchMedia('(prefers-color-scheme: dark)').matches;
  }
  function showCode(shown, button) {
    document.querySelectorAll('details.cell').forEach(function (cell) {
      cell.open = shown;
    });
    if (button) button.textContent = shown ? 'hide code' : 'show code';
    remember('netssm-code', shown ? 'shown' : 'hidden');
  }
  document.addEventListener('click', function (event) {
    var button = event.target.closest && event.target.closest('[data-do]');
    if (!button) return;
    if (button.dataset.do === 'theme') {
      var next = isDark() ? 'light' : 'dark';
      root.setAttribute('data-theme', next);
      remember('netssm-theme', next);
      // Interactive figures take their colours when they are drawn.
      if (document.querySelector('.js-plotly-plot')) location.reload();
    } else if (button.dataset.do === 'code') {
      showCode(button.textContent === 'show code', button);
    }
  });
  document.addEventListener('DOMContentLoaded', function () {
    var button = document.querySelector('[data-do=code]');
    if (button && remembered('netssm-code') === 'hidden') showCode(false, button);
  });
})();
