/* global document, history, location, window */
// One slide at a time: arrows, space, page keys, swipes. What a cell shows appears with the key after its text.
(function () {
  'use strict';
  var slides = Array.from(document.querySelectorAll('.slide'));
  var counter = document.querySelector('.deck output');
  var at = 0;
  document.body.classList.add('running');
  function steps(all) {
    return Array.from(slides[at].querySelectorAll(all ? '.step' : '.step:not(.shown)'));
  }
  // The letters of a slide shrink until it has no more than one screen, down to where they can still be read.
  function fit(slide) {
    slide.style.fontSize = '';
    var size = parseFloat(window.getComputedStyle(slide).fontSize);
    var least = Math.max(11, 0.62 * size);
    while (slide.scrollHeight > slide.clientHeight + 1 && size > least) {
      size -= 0.5;
      slide.style.fontSize = size + 'px';
    }
  }
  function show(index, complete) {
    slides[at].classList.remove('shown');
    at = Math.min(Math.max(0, index), slides.length - 1);
    slides[at].classList.add('shown');
    slides[at].scrollTop = 0;
    steps(true).forEach(function (step) {
      step.classList.toggle('shown', Boolean(complete));
    });
    fit(slides[at]);
    counter.textContent = at + 1 + ' / ' + slides.length;
    document
      .querySelector('[data-do=notes]')
      .classList.toggle('has-notes', Boolean(slides[at].querySelector('.notes')));
    history.replaceState(null, '', '#' + (at + 1));
  }
  function on() {
    var next = steps(false)[0];
    if (!next) return show(at + 1);
    next.classList.add('shown');
    next.scrollIntoView({ block: 'nearest' });
  }
  function back() {
    show(at - 1, true);
  }
  function notes() {
    document.body.classList.toggle('with-notes');
    fit(slides[at]);
  }
  // #7 is the seventh slide, #2-code the one with that heading.
  function fromAddress() {
    var name = decodeURIComponent(location.hash.slice(1));
    var heading = /^\d+$/.test(name) ? null : document.getElementById(name);
    var slide = heading && heading.closest('.slide');
    return slide ? slides.indexOf(slide) : (Number(name) || 1) - 1;
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
    else if (key === 'n') notes();
    else if (key === 'c') {
      slides[at].querySelectorAll('details.cell').forEach(function (cell) {
        cell.open = !cell.open;
      });
      fit(slides[at]);
    } else return;
    event.preventDefault();
  });
  document.querySelector('.deck').addEventListener('click', function (event) {
    var what = event.target.dataset && event.target.dataset.do;
    if (what === 'on') on();
    if (what === 'back') back();
    if (what === 'notes') notes();
  });
  var start = null;
  document.addEventListener('touchstart', function (event) {
    start = /^(INPUT|SUMMARY)$/.test(event.target.tagName) ? null : event.changedTouches[0].clientX;
  });
  document.addEventListener('touchend', function (event) {
    var moved = start === null ? 0 : event.changedTouches[0].clientX - start;
    if (moved < -60) on();
    if (moved > 60) back();
  });
  window.addEventListener('hashchange', function () {
    var wanted = fromAddress();
    if (wanted !== at) show(wanted);
  });
  window.addEventListener('resize', function () {
    fit(slides[at]);
  });
  window.addEventListener('beforeprint', function () {
    slides.forEach(fit);
  });
  show(fromAddress());
})();
