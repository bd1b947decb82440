/* global document, Event, history, location, window */
// One slide at a time: arrows, space, page keys, swipes. What a cell shows appears with the key after its text.
(function () {
  'use strict';
  var slides = Array.from(document.querySelectorAll('.slide'));
  var counter = document.querySelector('.deck output');
  var at = Math.min(Math.max(0, (Number(location.hash.slice(1)) || 1) - 1), slides.length - 1);
  function steps(all) {
    return Array.from(slides[at].querySelectorAll(all ? '.step' : '.step:not(.shown)'));
  }
  function show(index, complete) {
    slides[at].classList.remove('shown');
    at = Math.min(Math.max(0, index), slides.length - 1);
    slides[at].classList.add('shown');
    slides[at].scrollTop = 0;
    steps(true).forEach(function (step) {
      step.classList.toggle('shown', Boolean(complete));
    });
    counter.textContent = at + 1 + ' / ' + slides.length;
    history.replaceState(null, '', '#' + (at + 1));
    // Figures that were drawn while hidden have no width yet.
    window.dispatchEvent(new Event('resize'));
  }
  function on() {
    var next = steps(false)[0];
    if (!next) return show(at + 1);
    next.classList.add('shown');
    next.scrollIntoView({ block: 'nearest' });
    window.dispatchEvent(new Event('resize'));
  }
  function back() {
    show(at - 1, true);
  }
  document.addEventListener('keydown', function (event) {
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)
    )
      return;
    var key = event.key;
    if (key === 'ArrowRight' || key === 'PageDown' || (key === ' ' && !event.shiftKey)) on();
    else if (key === 'ArrowLeft' || key === 'PageUp' || key === ' ') back();
    else if (key === 'Home') show(0);
    else if (key === 'End') show(slides.length - 1, true);
    else if (key === 'c')
      slides[at].querySelectorAll('details.cell').forEach(function (cell) {
        cell.open = !cell.open;
      });
    else return;
    event.preventDefault();
  });
  document.querySelector('.deck').addEventListener('click', function (event) {
    var what = event.target.dataset && event.target.dataset.do;
    if (what === 'on') on();
    if (what === 'back') back();
  });
  var start = null;
  document.addEventListener('touchstart', function (event) {
    start = event.changedTouches[0].clientX;
  });
  document.addEventListener('touchend', function (event) {
    var moved = start === null ? 0 : event.changedTouches[0].clientX - start;
    if (moved < -60) on();
    if (moved > 60) back();
  });
  show(at);
})();
